// node-redis with its defaults until the standard input ends, while the master changes. Prints a
// report for each act: see report in program_test.go.
//
//   nodejs use.js NAME
'use strict';
const { createClient, commandOptions } = require('redis');

const name = process.argv[2];
let over = false;
process.stdin.on('end', () => { over = true; });
process.stdin.resume();
const sleep = ms => new Promise(done => setTimeout(done, ms));
const going = async () => {
  await sleep(10);
  return !over;
};

function newReport(act) {
  return { act, list: '', sent: 0, doubt: [], told: {}, reconnects: 0, slowest: 0, lost: 0, doubled: 0, wrong: [], figures: {} };
}

// call gives [true, reply], or [false] and the error is counted.
async function call(r, command, waits) {
  const began = Date.now();
  try {
    return [true, await command()];
  } catch (e) {
    const text = `${e.constructor.name}: ${e.message}`.slice(0, 160);
    r.told[text] = (r.told[text] || 0) + 1;
    return [false];
  } finally {
    if (!waits) r.slowest = Math.max(r.slowest, (Date.now() - began) / 1000);
  }
}

async function connected(r) {
  const c = createClient({ url: process.env.REDIS_URL });
  c.on('error', () => {}); // what is lost by it is told to those who wait
  c.on('reconnecting', () => { r.reconnects++; });
  await c.connect();
  return c;
}

async function writes(r) {
  const c = await connected(r);
  r.list = `${name}:writes`;
  while (await going()) {
    const n = ++r.sent;
    if (!(await call(r, () => c.rPush(r.list, `${n}`)))[0]) r.doubt.push(n);
  }
  await c.quit();
}

async function transactions(r) {
  const c = await connected(r);
  r.list = `${name}:transactions`;
  while (await going()) {
    const n = ++r.sent;
    const [ok, got] = await call(r, () => c.multi().rPush(r.list, `${n}`).set(`${name}:last`, `${n}`).get(`${name}:last`).exec());
    if (!ok) r.doubt.push(n);
    else if (got[2] !== `${n}`) r.wrong.push(`transaction ${n} answered ${got}`);
  }
  await c.quit();
}

async function pubsub(r) {
  const c = await connected(r), s = await connected(r);
  let last = 0;
  await s.subscribe(`${name}:channel`, m => {
    if (Number(m) <= last) r.wrong.push(`message ${m} after ${last}`);
    r.figures.missed = (r.figures.missed || 0) + Number(m) - last - 1;
    last = Number(m);
  });
  while (await going()) {
    const n = ++r.sent;
    await call(r, () => c.publish(`${name}:channel`, `${n}`));
  }
  await c.quit();
  await s.quit();
}

async function blocking(r) {
  const c = await connected(r), popped = [], key = `${name}:queue`;
  const popping = (async () => {
    for (;;) {
      const [ok, got] = await call(r, () => c.blPop(commandOptions({ isolated: true }), key, 5), true);
      if (ok && got && got.element === 'end') return true;
      if (ok && got) popped.push(Number(got.element));
    }
  })();
  while (await going()) {
    const n = ++r.sent;
    if (!(await call(r, () => c.rPush(key, `${n}`)))[0]) r.doubt.push(n);
  }
  while (!(await call(r, () => c.rPush(key, 'end')))[0]);
  if (!(await Promise.race([popping, sleep(30000)]))) r.wrong.push('the last elements were not popped');
  const seen = new Set(popped), doubt = new Set(r.doubt);
  for (let n = 1; n <= r.sent; n++) if (!seen.has(n) && !doubt.has(n)) r.lost++;
  r.doubled = popped.length - seen.size;
  await c.quit();
}

async function play(act) {
  const r = newReport(act.name);
  try {
    await act(r);
  } catch (e) {
    r.wrong.push(`${e.constructor.name}: ${e.message}`);
  }
  console.log(JSON.stringify(r));
}

console.log('ready');
Promise.all([writes, transactions, pubsub, blocking].map(play)).then(() => process.exit(0));
