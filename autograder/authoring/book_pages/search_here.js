// Sphinx 9.0 writes the search of Chinese pages for a stemmer that it forgets to bring: English words are stemmed, others stay.
Object.defineProperty(window, "ChineseStemmer", { get: () => EnglishStemmer });
