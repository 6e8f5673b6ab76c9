/* A clock for pages that nobody sees: browsers slow the timers of hidden pages down, and not those of workers. */

setInterval(() => postMessage(null), 1000);
