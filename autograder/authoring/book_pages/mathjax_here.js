// Loads the MathJax that lies beside this file. Only what Sphinx marks as a formula is typeset.
window.MathJax = {
  tex2jax: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]], processEscapes: true },
  "HTML-CSS": { availableFonts: [], preferredFont: null, imageFont: null, webFont: "STIX-Web" },
  messageStyle: "none",
  showMathMenu: false,
};
{
  const here = document.currentScript.src;
  const script = document.createElement("script");
  script.src = new URL("mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe", here).href;
  document.head.appendChild(script);
}
