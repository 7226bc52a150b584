// Unpacks the one plotly.js of this report (`packed`: gzip as base64) and draws every figure from its JSON.
const nonce = document.currentScript.nonce;
(async () => {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const library = document.createElement("script");
  library.nonce = nonce;
  library.textContent = await new Response(stream).text();
  document.head.append(library);
  for (const source of document.querySelectorAll(".lmops-figure > script[type='application/json']")) {
    const figure = JSON.parse(source.textContent);
    const place = source.parentElement;
    place.replaceChildren();
    place.style.height = `${figure.layout?.height || 400}px`;
    figure.config = { ...figure.config, responsive: true, displaylogo: false };
    await window.Plotly.newPlot(place, figure);
    place.dataset.drawn = "true";
  }
})();
