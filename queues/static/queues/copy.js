// Copying a field's text: the button is there where the browser can.

const button = document.querySelector("[data-copy]");
const said = document.querySelector("[data-copied]");

button.hidden = false;
button.addEventListener("click", async () => {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    said.textContent = button.dataset.done;
  } catch {
    said.textContent = button.dataset.failed;
  }
});
