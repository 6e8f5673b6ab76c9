/* Calls a function each second, also while nobody sees the page. */

const SECOND = 1000;

/** Call `tick` each second until the function that this returns is called. */
export function everySecond(tick) {
  let timer = null;
  let worker = null;
  const alone = () => {
    timer ??= setInterval(tick, SECOND);
  };
  try {
    worker = new Worker(new URL("./ticker.js", import.meta.url));
    worker.onmessage = tick;
    worker.onerror = alone;
  } catch {
    alone();
  }
  return () => {
    clearInterval(timer);
    worker?.terminate();
  };
}
