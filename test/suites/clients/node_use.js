// What apps use of node-redis, with its defaults, against 127.0.0.1:6379.
// Reports as report.py describes.
'use strict';
const assert = require('assert');
const { createClient, commandOptions, defineScript, WatchError } = require('redis');

const tests = [];
const test = (name, run) => tests.push([name, run]);
const sleep = ms => new Promise(done => setTimeout(done, ms));

// connected gives a client; what it emits as an error fails the test.
let complaints = [], clients = [];
async function connected(options) {
  const c = createClient(options);
  c.on('error', e => complaints.push(e.message));
  clients.push(c);
  await c.connect();
  return c;
}

test('ping, strings, numbers', async () => {
  const c = await connected();
  assert.strictEqual(await c.ping(), 'PONG');
  assert.strictEqual(await c.set('a', '1', { EX: 10, NX: true }), 'OK');
  assert.strictEqual(await c.incr('a'), 2);
  assert.deepStrictEqual(await c.mGet(['a', 'none']), ['2', null]);
});

test('url, database and name', async () => {
  const c = await connected({ url: 'redis://localhost:6379/3', name: 'named' });
  const other = await connected();
  await c.set('here', '3');
  assert.strictEqual(await other.get('here'), null);
  assert.strictEqual(await c.clientGetName(), 'named');
  assert.strictEqual((await other.sendCommand(['CLIENT', 'LIST'])).includes('name=named'), true);
  await c.select(0);
  assert.strictEqual(await c.get('here'), null);
});

test('wrong password', async () => {
  const c = createClient({ url: 'redis://x:y@localhost:6379' });
  clients.push(c);
  const complaint = new Promise(said => c.on('error', said));
  c.connect().catch(() => {}); // it tries again and again
  assert.match((await complaint).message, /WRONGPASS/);
});

test('commands are pipelined by themselves', async () => {
  const c = await connected();
  const replies = await Promise.all(Array.from({ length: 5000 }, (_, n) => c.set(`k${n}`, `${n}`)));
  assert(replies.every(r => r === 'OK'));
  const back = await Promise.all(Array.from({ length: 5000 }, (_, n) => c.get(`k${n}`)));
  assert.deepStrictEqual(back, Array.from({ length: 5000 }, (_, n) => `${n}`));
});

test('multi', async () => {
  const c = await connected();
  assert.deepStrictEqual(await c.multi().set('a', '1').incr('a').get('a').exec(), ['OK', 2, '2']);
  assert.deepStrictEqual(await c.multi().set('b', '1').get('b').execAsPipeline(), ['OK', '1']);
});

test('watch on a connection of its own', async () => {
  const c = await connected();
  await c.executeIsolated(async alone => {
    await alone.watch('a');
    await c.set('a', 'changed');
    await assert.rejects(alone.multi().set('a', 'mine').exec(), WatchError);
    await alone.watch('a');
    assert.deepStrictEqual(await alone.multi().set('a', 'mine').exec(), ['OK']);
  });
  assert.strictEqual(await c.get('a'), 'mine');
});

test('blocking on a connection of its own', async () => {
  const c = await connected();
  const popped = c.blPop(commandOptions({ isolated: true }), 'list', 5);
  await sleep(100);
  await c.lPush('list', 'x');
  assert.deepStrictEqual(await popped, { key: 'list', element: 'x' });
  assert.strictEqual(await c.blPop(commandOptions({ isolated: true }), 'none', 0.1), null);
});

test('subscribe', async () => {
  const c = await connected(), s = c.duplicate(), got = [];
  clients.push(s);
  s.on('error', e => complaints.push(e.message));
  await s.connect();
  await s.subscribe('one', m => got.push(m));
  await s.pSubscribe('o*', (m, channel) => got.push(`${channel}:${m}`));
  assert.strictEqual(await c.publish('one', 'x'), 2);
  for (let i = 0; i < 100 && got.length < 2; i++) await sleep(10);
  assert.deepStrictEqual(got.sort(), ['one:x', 'x']);
  await s.unsubscribe();
  await s.pUnsubscribe();
  await s.set('free', 'again');
});

test('thousands of messages in order', async () => {
  const c = await connected(), s = await connected(), got = [];
  await s.subscribe('many', m => got.push(Number(m)));
  const heard = await Promise.all(Array.from({ length: 3000 }, (_, n) => c.publish('many', `${n}`)));
  assert(heard.every(n => n === 1));
  for (let i = 0; i < 100 && got.length < 3000; i++) await sleep(20);
  assert.deepStrictEqual(got, Array.from({ length: 3000 }, (_, n) => n));
});

test('scripts', async () => {
  const double = defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: "return redis.call('GET', KEYS[1]) * 2",
    transformArguments: key => [key],
    transformReply: reply => reply,
  });
  const c = await connected({ scripts: { double } });
  await c.set('n', '21');
  assert.strictEqual(await c.double('n'), 42);
  await c.scriptFlush();
  assert.strictEqual(await c.double('n'), 42);
  assert.strictEqual(await c.eval('return ARGV[1]', { arguments: ['x'] }), 'x');
});

test('functions', async () => {
  const c = await connected();
  await c.functionFlush();
  await c.functionLoad("#!lua name=mine \n redis.register_function('echo', function(k, a) return a[1] end)");
  assert.strictEqual(await c.fCall('echo', { arguments: ['x'] }), 'x');
  await c.functionFlush();
});

test('scan iterators', async () => {
  const c = await connected();
  await c.mSet(Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`scan:${n}`, 'x'])));
  const seen = new Set();
  for await (const key of c.scanIterator({ MATCH: 'scan:*' })) seen.add(key);
  assert.strictEqual(seen.size, 2000);
  await c.hSet('h', Object.fromEntries(Array.from({ length: 1500 }, (_, n) => [`f${n}`, 'x'])));
  let fields = 0;
  for await (const _ of c.hScanIterator('h')) fields++;
  assert(fields >= 1500);
});

test('streams', async () => {
  const c = await connected();
  const id = await c.xAdd('s', '*', { a: '1' });
  await c.xGroupCreate('s', 'g', '0');
  assert.strictEqual((await c.xReadGroup('g', 'me', { key: 's', id: '>' }))[0].messages[0].id, id);
  assert.strictEqual(await c.xAck('s', 'g', id), 1);
  const late = c.xRead(commandOptions({ isolated: true }), { key: 's', id: '$' }, { BLOCK: 5000 });
  await sleep(200);
  await c.xAdd('s', '*', { b: '2' });
  assert.deepStrictEqual({ ...(await late)[0].messages[0].message }, { b: '2' });
});

test('buffers', async () => {
  const c = await connected(), value = Buffer.alloc(3_000_000, '\r\n\0');
  await c.set('buffer', value);
  assert(value.equals(await c.get(commandOptions({ returnBuffers: true }), 'buffer')));
});

test('errors', async () => {
  const c = await connected();
  await c.set('text', 'x');
  await assert.rejects(c.incr('text'), /not an integer/);
  await assert.rejects(c.sendCommand(['NOTHING']), /unknown command/);
  await assert.rejects(c.multi().set('a', '1').addCommand(['SET', 'b']).exec(), /EXECABORT|wrong number/);
});

test('legacy mode', async () => {
  const c = await connected({ legacyMode: true });
  await new Promise((done, failed) => c.set('a', 'b', e => (e ? failed(e) : done())));
  assert.strictEqual(await c.v4.get('a'), 'b');
});

test('client and server commands', async () => {
  const c = await connected();
  const id = await c.clientId();
  assert.strictEqual((await c.clientInfo()).id, id);
  assert((await c.info('server')).includes('redis_version:7.'));
  assert.strictEqual((await c.role()).role, 'master');
  assert.strictEqual((await c.configGet('maxmemory')).maxmemory, '0');
  assert((await c.commandCount()) > 200);
  assert.strictEqual(await c.dbSize(), 0);
  assert.strictEqual(await c.clientTracking(true), 'OK');
  assert.strictEqual(await c.clientTracking(false), 'OK');
});

test('killed and connected again', async () => {
  const c = createClient(), other = await connected();
  clients.push(c);
  c.on('error', () => {});
  await c.connect();
  const back = new Promise(done => c.once('ready', done));
  await other.sendCommand(['CLIENT', 'KILL', 'ID', `${await c.clientId()}`]);
  await back;
  assert.strictEqual(await c.ping(), 'PONG');
});

test('ping interval', async () => {
  const c = await connected({ pingInterval: 50 });
  await sleep(300);
  assert.strictEqual(await c.ping(), 'PONG');
});

test('quit', async () => {
  const c = await connected();
  clients.pop();
  const last = c.set('a', '1');
  await c.quit();
  assert.strictEqual(await last, 'OK');
});

// within rejects when a test takes longer than this.
const within = (ms, promise) =>
  Promise.race([promise, new Promise((_, failed) => setTimeout(() => failed(new Error(`longer than ${ms} ms`)), ms).unref())]);

(async () => {
  for (const [name, run] of tests) {
    complaints = [];
    clients = [];
    const admin = createClient();
    await admin.connect();
    await admin.flushAll();
    await admin.quit();
    try {
      await within(20000, run());
      assert.deepStrictEqual(complaints, []);
      console.log(`pass\t${name}`);
    } catch (e) {
      console.log(`fail\t${name}\t${String(e && e.message).split(/\s+/).join(' ').slice(0, 300)}`);
    }
    for (const c of clients) if (c.isOpen) await c.disconnect().catch(() => {});
  }
  process.exit(0);
})();
