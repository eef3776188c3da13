"use strict";
// What a connection keeps from one transaction to the next.

const { THREADS, inWorkers, must, mustFail } = require("./checks");
const { check, withRunner } = require("./data_source");
const { STATEMENT_TIMEOUT_MS, makeDataSource } = require("./shop");

const ROUNDS = 10;
const TIMEOUT = `${STATEMENT_TIMEOUT_MS / 1000}s`;

async function shown(of, name) {
    return (await of.query("SELECT current_setting($1, true) AS it", [name]))[0].it;
}

module.exports = async () => {
    await check("statement_timeout of extra holds and ends statements", async (source) => {
        await inWorkers(async () => {
            for (let n = 0; n < ROUNDS; n += 1) {
                must(await shown(source, "statement_timeout"), TIMEOUT);
                must(await shown(source, "application_name"), "shop");
                must(await shown(source, "shop.branch"), "north");
            }
        });
        const hasty = await makeDataSource({ extra: { statement_timeout: 200 } }).initialize();
        await mustFail(hasty.query("SELECT pg_sleep(5)"), "57014");
        must(await shown(hasty, "statement_timeout"), "200ms");
        must(await shown(source, "statement_timeout"), TIMEOUT);
        await hasty.destroy();
    });

    await check("SET stays with its query runner", async (source) => {
        await inWorkers((number) => withRunner(source, async (runner) => {
            await runner.query(`SET shop.clerk = 'clerk ${number}'`);
            await runner.query(`SET work_mem = '${2000 + number}kB'`);
            for (let n = 0; n < ROUNDS; n += 1) {
                must(await shown(runner, "shop.clerk"), `clerk ${number}`);
                await runner.startTransaction();
                await runner.query("SET LOCAL statement_timeout = '3s'");
                must(await shown(runner, "work_mem"), `${2000 + number}kB`);
                must(await shown(runner, "statement_timeout"), "3s");
                await (n % 2 ? runner.commitTransaction() : runner.rollbackTransaction());
                must(await shown(runner, "statement_timeout"), TIMEOUT);
            }
            await runner.query("RESET shop.clerk");
            await runner.query("RESET work_mem");
            must(await shown(runner, "work_mem"), "4MB");
        }));
    });

    await check("temporary tables stay with their query runner", async (source) => {
        await inWorkers((number) => withRunner(source, async (runner) => {
            await runner.query("CREATE TEMP TABLE basket (n int)");
            for (let n = 0; n < 5; n += 1) await runner.query("INSERT INTO basket VALUES ($1)", [n + number]);
            must(await runner.query("SELECT sum(n)::int AS sum FROM basket"), [{ sum: 5 * number + 10 }]);
            await runner.query("DROP TABLE basket");
        }));
    });

    await check("advisory locks of query runners exclude each other", async (source) => {
        let [inside, most] = [0, 0];
        await inWorkers((number) => withRunner(source, async (runner) => {
            await runner.query("SELECT pg_advisory_lock($1)", [4711]);
            inside += 1;
            most = Math.max(most, inside);
            await runner.query("SELECT $1::int FROM pg_sleep(0.002)", [number]);
            inside -= 1;
            must(await runner.query("SELECT pg_advisory_unlock($1) AS it", [4711]), [{ it: true }]);
        }));
        must(most, 1);
    });

    await check("named statements of node-postgres hold", async (source) => {
        await inWorkers((number) => withRunner(source, async (runner) => {
            const client = await runner.connect();
            for (let n = 0; n < ROUNDS; n += 1) {
                const query = { name: `plus ${n % 3}`, text: `SELECT $1::int + ${n % 3} AS sum`, values: [number] };
                must((await client.query(query)).rows, [{ sum: number + (n % 3) }]);
            }
        }));
    });

    await check("notifications reach who listens", async (source) => {
        await withRunner(source, async (runner) => {
            const client = await runner.connect();
            const heard = [];
            const all = new Promise((resolve) => {
                client.on("notification", ({ payload }) => heard.push(Number(payload)) === THREADS && resolve());
            });
            await runner.query("LISTEN news");
            await inWorkers((number) => source.query("SELECT pg_notify('news', $1)", [String(number)]));
            await all;
            must(heard.sort((a, b) => a - b), Array.from({ length: THREADS }, (_, n) => n));
            must(await shown(runner, "statement_timeout"), TIMEOUT);
            await runner.query("UNLISTEN *");
        });
    });

    await check("tables change while workers ask", async (source) => {
        let done = false;
        const changes = (async () => {
            for (let n = 0; n < 4; n += 1) await source.query(`ALTER TABLE "account" ADD "note${n}" text`);
            done = true;
        })();
        await inWorkers(async (number) => {
            for (let n = 0; n < 20 || !done; n += 1) {
                const rows = await source.query(`SELECT * FROM "account" WHERE name = $1`, [`holder ${number}`]);
                must(rows.map((row) => row.name), [`holder ${number}`]);
            }
        });
        await changes;
    });

    await check("a schema is synchronized as its entities are", async () => {
        const fresh = await makeDataSource({ schema: "fresh", synchronize: false }).initialize();
        await fresh.query("CREATE SCHEMA fresh");
        await fresh.synchronize();
        must((await fresh.driver.createSchemaBuilder().log()).upQueries.length, 0);
        must((await fresh.getRepository("Account").save({ name: "one" })).balance, 100);
        await fresh.dropDatabase();
        await fresh.destroy();
    });

    await check("a data source is closed and opened", async () => {
        for (let n = 0; n < 3; n += 1) {
            const own = await makeDataSource().initialize();
            await inWorkers(() => own.query("SELECT 1"));
            await own.destroy();
        }
    });
};
