// node-redis with its defaults for some seconds, during which the master changes. Nothing may
// fail, and no client may emit 'error' or 'reconnecting'. Reports as report.py describes.
//
//   nodejs keep.js SECONDS
'use strict';
const assert = require('assert');
const { createClient, commandOptions } = require('redis');

const until = Date.now() + 1000 * Number(process.argv[2]);
const sleep = ms => new Promise(done => setTimeout(done, ms));
const going = async () => {
  await sleep(5);
  return Date.now() < until;
};

async function connected(complaints) {
  const c = createClient();
  c.on('error', e => complaints.push(`error: ${e.message}`));
  c.on('reconnecting', () => complaints.push('reconnecting'));
  await c.connect();
  return c;
}

async function commands(complaints) {
  const c = await connected(complaints), id = await c.clientId();
  let n = 0;
  while (await going()) {
    n++;
    assert.strictEqual(await c.incr('node:n'), n);
    assert.deepStrictEqual(await c.multi().rPush('node:list', `${n}`).get('node:n').exec(), [n, `${n}`]);
  }
  assert.strictEqual(await c.clientId(), id, 'another connection');
  await c.quit();
}

async function pubsub(complaints) {
  const c = await connected(complaints), s = await connected(complaints), seen = [];
  await s.subscribe('node:channel', m => seen.push(Number(m)));
  let sent = 0;
  while (await going()) await c.publish('node:channel', `${++sent}`);
  await sleep(1000);
  assert.strictEqual(seen[seen.length - 1], sent);
  assert(seen.every((n, i) => i === 0 || n > seen[i - 1]), 'out of order');
  assert(seen.length >= 0.9 * sent, `${seen.length} of ${sent}`);
  await c.quit();
  await s.quit();
}

async function blocking(complaints) {
  const c = await connected(complaints);
  const popping = (async () => {
    for (let n = 1; ; n++) {
      const { element } = await c.blPop(commandOptions({ isolated: true }), 'node:queue', 0);
      if (element === 'end') return;
      assert.strictEqual(element, `${n}`);
    }
  })();
  for (let n = 1; await going(); n++) await c.rPush('node:queue', `${n}`);
  await c.rPush('node:queue', 'end');
  await Promise.race([popping, sleep(10000).then(() => assert.fail('the last elements were not popped'))]);
  await c.quit();
}

async function check(name, run) {
  const complaints = [];
  try {
    await run(complaints);
    assert.deepStrictEqual(complaints, []);
    console.log(`pass\t${name}`);
  } catch (e) {
    console.log(`fail\t${name}\t${[e.message, ...complaints].join(' ').split(/\s+/).join(' ').slice(0, 300)}`);
  }
}

Promise.all([
  check('node-redis: commands, transactions', commands),
  check('node-redis: publish and subscribe', pubsub),
  check('node-redis: blocking', blocking),
]).then(() => process.exit(0));
