'use strict';
// node-postgres with its cursor, its stream and COPY; addressed by PGHOST and the others.
const assert = require('node:assert/strict');
const { Client } = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const { from, to } = require('pg-copy-streams');
const { pipeline } = require('node:stream/promises');
const { Readable, Writable } = require('node:stream');

const who = process.env.DRIVER_ID;
const LARGE = "SELECT n, repeat('x', 500) FROM generate_series(1, 20000) AS n";

async function queries(client, count) {
  const typed = await client.query(
    "SELECT 42 AS a, 1.50::numeric AS b, 'snö' AS c, true AS d, NULL::int AS e, ARRAY[1, 2] AS f");
  assert.deepEqual(typed.rows[0], { a: 42, b: '1.50', c: 'snö', d: true, e: null, f: [1, 2] });
  for (let number = 0; number < 20; number++) {
    const twice = await client.query({ name: 'twice', text: 'SELECT $1::int * 2 AS n', values: [number] });
    assert.equal(twice.rows[0].n, number * 2);
  }
  await assert.rejects(client.query('SELECT 1 / $1::int', [0]), { code: '22012' });
  assert.equal(await count(), 0);
}

async function transactions(client, count) {
  for (const end of ['COMMIT', 'ROLLBACK']) {
    await client.query('BEGIN');
    await client.query('INSERT INTO work VALUES ($1, 1)', [who]);
    await client.query(end);
  }
  assert.equal(await count(), 1);
}

async function largeResults(client) {
  assert.equal((await client.query(LARGE)).rows.length, 20000);
  let streamed = 0;
  for await (const row of client.query(new QueryStream(LARGE, [], { batchSize: 1000 }))) {
    streamed += row.n > 0;
  }
  assert.equal(streamed, 20000);
  for (let round = 0; round < 5; round++) {  // a cursor that is left before its end
    const cursor = client.query(new Cursor(LARGE));
    assert.equal((await cursor.read(10)).length, 10);
    assert.equal((await cursor.read(10)).length, 10);
    await cursor.close();
    assert.equal((await client.query('SELECT 5 AS n')).rows[0].n, 5);
  }
}

async function copies(client, count) {
  const rows = Readable.from(Array.from({ length: 1000 }, () => Buffer.from(`${who}\t7\n`)));
  await pipeline(rows, client.query(from('COPY work FROM STDIN')));
  assert.equal(await count(), 1001);
  let bytes = 0;
  const sink = new Writable({ write(chunk, _, done) { bytes += chunk.length; done(); } });
  await pipeline(client.query(to(`COPY (SELECT n FROM work WHERE who = '${who}' AND n = 7) TO STDOUT`)), sink);
  assert.equal(bytes, 2000);
}

async function main() {
  const client = new Client();
  await client.connect();
  const count = async () =>
    Number((await client.query('SELECT count(*) FROM work WHERE who = $1', [who])).rows[0].count);
  await queries(client, count);
  await transactions(client, count);
  await largeResults(client);
  await copies(client, count);
  await client.end();
  console.log('OK');
}

main().catch((error) => { console.error(error); process.exit(1); });
