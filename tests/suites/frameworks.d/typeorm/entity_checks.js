"use strict";
// Migrations, entities and transactions.

const { In, IsNull, Like, Not } = require("typeorm");
const { THREADS, inWorkers, must, mustFail } = require("./checks");
const { check, withRunner } = require("./data_source");

const ROUNDS = 10;

const total = (source) => source.getRepository("Account").sum("balance");
const holder = (number) => ({ name: `holder ${number}` });
const ended = (stream, onRow) => new Promise((resolve, reject) => {
    stream.on("data", onRow).on("end", resolve).on("error", reject);
});

module.exports = async () => {
    await check("migrations run, are undone and run again", async (source) => {
        must((await source.runMigrations()).length, 2);
        await source.undoLastMigration({ transaction: "none" });
        await source.undoLastMigration();
        must(await source.query(`SELECT to_regclass('account') AS it`), [{ it: null }]);
        must((await source.runMigrations()).length, 2);
        must(await source.showMigrations(), false);
        must((await source.query("SELECT count(*)::int AS n FROM migrations")), [{ n: 2 }]);
    });

    await check("a table is built and changed by a query runner", (source) => withRunner(source, async (runner) => {
        const { Table, TableColumn, TableIndex } = require("typeorm");
        await runner.createTable(new Table({ name: "till", columns: [{ name: "id", type: "int", isPrimary: true }] }));
        await runner.addColumn("till", new TableColumn({ name: "sum", type: "int", default: 0 }));
        await runner.createIndex("till", new TableIndex({ name: "till_sum", columnNames: ["sum"] }));
        must((await runner.getTable("till")).columns.map((column) => column.name), ["id", "sum"]);
        await runner.dropTable("till");
        must(await runner.hasTable("till"), false);
    }));

    await check("entities are saved, found, changed and removed", async (source) => {
        const [accounts, entries] = [source.getRepository("Account"), source.getRepository("Entry")];
        await inWorkers(async (number) => {
            const account = await accounts.save({ ...holder(number), detail: { number, text: "snö" }, tags: ["a", "b"],
                entries: Array.from({ length: ROUNDS }, (_, n) => ({ amount: n })) });
            for (let n = 0; n < ROUNDS; n += 1) {
                must((await accounts.findOneByOrFail({ id: account.id })).detail.number, number);
                await accounts.increment({ id: account.id }, "balance", 1);
                must((await accounts.findOneBy(holder(number))).balance, 101 + n);
            }
            const found = await accounts.findOne({ where: holder(number), relations: { entries: true } });
            must(found.entries.reduce((sum, entry) => sum + entry.amount, 0), 45);
            must(found.tags, ["a", "b"]);
            await entries.remove(found.entries.find((entry) => entry.amount === 3));
            must(await entries.countBy({ account: { id: account.id } }), ROUNDS - 1);
            await accounts.update({ id: account.id }, { balance: 100 });
            must(await accounts.existsBy({ ...holder(number), tags: Not(IsNull()) }), true);
        });
        must(await total(source), 100 * THREADS);
        must(await accounts.countBy({ name: In(["holder 0", "holder 1", "nobody"]) }), 2);
    });

    await check("transactions commit and roll back", async (source) => {
        const before = await total(source);
        await inWorkers(async (number) => {
            for (let n = 0; n < ROUNDS; n += 1) {
                const failure = await source.transaction(async (manager) => {
                    await manager.increment("Account", holder(number), "balance", 7);
                    must(await manager.countBy("Account", holder(number)), 1);
                    throw new Error("roll back");
                }).catch((error) => error.message);
                must(failure, "roll back");
                await source.transaction("SERIALIZABLE", async (manager) => {
                    must(await manager.query("SHOW transaction_isolation"), [{ transaction_isolation: "serializable" }]);
                });
            }
            await mustFail(source.getRepository("Account").insert(holder(number)), "23505");
        });
        must(await total(source), before);
    });

    await check("query runners nest savepoints", async (source) => {
        const before = await total(source);
        await inWorkers((number) => withRunner(source, async (runner) => {
            const accounts = runner.manager.getRepository("Account");
            for (let n = 0; n < ROUNDS; n += 1) {
                await runner.startTransaction();
                await accounts.increment(holder(number), "balance", 7);
                await runner.startTransaction(); // a savepoint
                await mustFail(accounts.insert(holder(number)), "23505");
                await runner.rollbackTransaction();
                await runner.startTransaction();
                await accounts.decrement(holder(number), "balance", 7);
                await runner.commitTransaction();
                if (n % 2) await runner.commitTransaction();
                else await runner.rollbackTransaction();
            }
        }));
        must(await total(source), before);
    });

    await check("row locks of the query builder move money and lose none", async (source) => {
        const before = await total(source);
        await inWorkers(async (number) => {
            for (let n = 0; n < ROUNDS; n += 1) {
                await source.transaction(async (manager) => {
                    const names = [`holder ${number}`, `holder ${(number + n + 1) % THREADS}`];
                    const locked = await manager.createQueryBuilder("Account", "account").orderBy("account.id")
                        .where("account.name IN (:...names)", { names }).setLock("pessimistic_write").getMany();
                    if (locked.length < 2) return;
                    locked[0].balance -= 5;
                    locked[1].balance += 5;
                    await manager.save("Account", locked);
                });
            }
        });
        must(await total(source), before);
    });

    await check("the query builder joins, groups, upserts and deletes", async (source) => {
        await inWorkers(async (number) => {
            const rows = Array.from({ length: 100 }, (_, n) => ({ name: `bulk ${number}.${n}`, balance: n }));
            const insert = () => source.createQueryBuilder().insert().into("Account").values(rows)
                .orUpdate(["balance"], ["name"]).execute();
            await insert();
            await insert();
            must(await source.getRepository("Account").countBy({ name: Like(`bulk ${number}.%`) }), 100);
            const summed = await source.createQueryBuilder("Account", "account").leftJoin("account.entries", "entry")
                .select("account.name", "name").addSelect("sum(entry.amount)::int", "sum")
                .where("account.name = :name", holder(number)).groupBy("account.name").getRawOne();
            must(summed, { name: `holder ${number}`, sum: 42 });
            const page = await source.createQueryBuilder("Account", "account").leftJoinAndSelect("account.entries", "entry")
                .where("account.name = :name", holder(number)).orderBy("entry.amount").take(3).getManyAndCount();
            must([page[0][0].entries.length, page[1]], [ROUNDS - 1, 1]);
            const gone = await source.createQueryBuilder().delete().from("Account")
                .where("name LIKE :name", { name: `bulk ${number}.%` }).execute();
            must(gone.affected, 100);
        });
    });

    await check("streams of the query builder end and are broken off", async (source) => {
        await inWorkers(async (number) => {
            const stream = await source.createQueryBuilder("Entry", "entry").select("entry.amount", "amount").stream();
            let sum = 0;
            await ended(stream, (row) => { sum += row.amount; });
            must(sum, 42 * THREADS);
            if (number % 4 === 0) {
                await withRunner(source, async (runner) => {
                    const long = await runner.stream("SELECT n FROM generate_series(1, 100000) AS n");
                    await new Promise((resolve, reject) => {
                        long.once("data", () => long.destroy()).once("close", resolve).once("error", reject);
                    });
                    must(await runner.query("SELECT 1 AS one"), [{ one: 1 }]);
                });
            }
        });
    });
};
