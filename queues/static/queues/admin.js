// A batch's page in the admin: asks the server for one part after the other, and shows how far it is.

const section = document.querySelector(".crowd-progress[data-step]");

const BETWEEN = 50;
const AFTER_A_FAILURE = 3000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function step(address, token) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": token },
    redirect: "error",
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function drive() {
  const bar = section.querySelector("progress");
  const text = section.querySelector("[data-text]");
  const state = section.querySelector("[data-state]");
  const form = section.querySelector("[data-continue]");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  form.hidden = true;
  let before = -1;
  for (;;) {
    try {
      const numbers = await step(section.dataset.step, token);
      bar.value = numbers.done;
      text.textContent = numbers.text;
      state.textContent = numbers.state;
      if (!numbers.running) break;
      await pause(numbers.done === before ? AFTER_A_FAILURE : BETWEEN);
      before = numbers.done;
    } catch {
      text.textContent = section.dataset.lost;
      await pause(AFTER_A_FAILURE);
    }
  }
  location.reload();
}

if (section) drive();
