"""All the tokens that the corpus can hold, on either side.

The source tokens are the characters of the lexicon and the Arabic digits. The target tokens stand here in
full: a new word in a generator has to be entered, so that the vocabulary grows by decision.
"""

from __future__ import annotations

from .gloss import LEXICON
from .pair import written

SOURCE_TOKENS: tuple[str, ...] = tuple(sorted(set("0123456789").union(*map(written, LEXICON))))

TARGET_TOKENS: tuple[str, ...] = tuple(
    """
- 0 1 2 3 4 5 6 7 8 9 a accuracy accurate activation after afternoon again ago algebra algorithm
algorithms all already altogether am an and answer answered answers any apple apples april are article
articles artificial as ask asked asks at ate attention august backpropagation batch battery be beam
beautiful beautifully bed beds been beer before begins begun beijing best better bicycle bicycles big
bigger biggest bill bird birds birthday black book books borrow borrowed bottle bottles bought bowl bowls
bridge bridges bring british broken brother bun buns bus busier busiest busy buy by cake can car card
cards careful cars cat cats centimetre centimetres chair chairs character characters cheap cheaper
cheapest check chemistry child children chinese chopsticks cities city class classification classroom
clever cleverer cleverest close clustering code coffee cold colder coldest colour come companies company
computer computers congratulations connection convolutional cooking cost country course cross cup cups dad
dark data dataset datasets date day days december decision decoder decoding decreased deep delicious
descent dictionaries dictionary did difficult diffusion dish distillation distribution do doctor doctors
does dog dogs dollar dollars door down drank draw drew drink drinks drive early easier easiest easy eat
eaten eats egg eggs eight eighteen eighteenth eighth eighty eleven eleventh email emails embedding encoder
encoding end engineer engineers english enough equal error euro euros even evening every exam example
examples exercise expensive experiment experiments exploded failure family famous far fast faster fastest
feature february feed fell fen fifteen fifteenth fifth fifty film films fine finish finished first fish
five flower flowers for forest forget forgot forty forward found four fourteen fourteenth fourth friday
friend friends from full function generation generative get gift gifts give glass glasses go goes going
gone good goodbye got grade gradient gram grams graphics greater greedy guangzhou had half happy hard has
have he head headache hello help her here him history home homework hong horse horses hot hotter hottest
hour hours house houses how hundred hungry hyperparameter i idea ill image important in income increased
intelligence interested interesting is it january journey juice july jumper jumpers june just keep
kilogram kilograms kilometre kilometres know knowledge kong label language large last lawyer lawyers layer
lead learn learned learning learns left less lesson lessons let letter letters li library like line linear
listen listened listening listens little live london long longer longest look looking loss lost love luck
machine machines magazine magazines make makes many map maps march mathematics matrix matter may maybe me
meal mean mechanism meet menu metre metres miles milk million minute minutes miss model models moment
monday money month months moon more morning most mother mountain mountains much multi multiplication mum
music my name natural near need network neural never new newer newest next nice night nine nineteen
nineteenth ninety ninth no noise noodles noon normalization not novel novels november now o'clock october
of office oh old older oldest on once one online open orange oranges our out output outside over
overfitted overfitting pair pairs paper papers parameter parameters paris park past patient pen pencil
pencils pens people percent perfect person phone phones photo photos physics piece pieces plane planes
playing please poem poems point population positional pound pounds power practice practises predict
pretraining price probability problem processing program progress quarter question questions quiet quieter
quietest railway rain rained raining random rate read reads ready really receive received recognition
recurrent red regression regularization reinforcement remember residual restaurant restaurants results
rice right river rivers road roads romans rome room rooms rose round run runs sang saturday say school
schools scientist scientists search second seconds see self sell sentence sentences september set seven
seventeen seventeenth seventh seventy shanghai shape sharp she sheep sheet sheets shirt shirts shoes shop
shops short shorter shortest sing single sings sister sit six sixteen sixteenth sixth sixty size skirt
skirts sleeping slow slower slowest slowly small smaller smallest snow snowing socks sold solve song songs
soon sorry soup speak speech spicy spring station steamed step still stochastic straight student students
studied study studying success sun sunday supervised swim table tables take takes tall taller tallest tea
teacher teachers television ten tensor tenth test text textbook than thank that the them then there these
they think third thirsty thirteen thirteenth thirty this those thousand three thursday ticket tickets time
tired to today toilet tokyo tomorrow too took train trained training trains transfer translate translation
tree trees trip trousers try tuesday tuning twelfth twelve twentieth twenty two umbrella umbrellas
underfitting understand universities university unsupervised up us useful validation vanished vector very
vision wait waiting wallet wang want warm warmer warmest watch watched watches watching water we weather
wednesday week weekend weeks weights welcome well what when where white who whose why will window with
word words work working worry would write writer writers writes writing wrong wrote xiao year years yen
yesterday yet you younger youngest your yuan zero
""".split()
)
