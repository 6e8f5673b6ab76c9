// A page that came as the answer to a form gets the address of its workflow: to load it again shows the present step,
// and sends no form twice.
const { here } = document.querySelector("[data-here]").dataset;
history.replaceState(null, "", here);
