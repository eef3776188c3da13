"use strict";
// The entities, the migrations and the data source of the shop.

const { DataSource, EntitySchema } = require("typeorm");

const STATEMENT_TIMEOUT_MS = 25000;
const WORKERS = Number(process.env.THREADS);

const Account = new EntitySchema({
    name: "Account",
    tableName: "account",
    columns: {
        id: { type: "uuid", primary: true, generated: "uuid" },
        name: { type: "varchar", length: 100, unique: true },
        balance: { type: "integer", default: 100 },
        detail: { type: "jsonb", default: {} },
        tags: { type: "varchar", array: true, default: "{}" },
        opened: { type: "timestamp with time zone", createDate: true },
        version: { type: "integer", version: true },
    },
    relations: { entries: { type: "one-to-many", target: "Entry", inverseSide: "account", cascade: ["insert"] } },
});

const Entry = new EntitySchema({
    name: "Entry",
    tableName: "entry",
    columns: {
        id: { type: "integer", primary: true, generated: "increment" },
        amount: { type: "integer" },
    },
    relations: {
        account: { type: "many-to-one", target: "Account", inverseSide: "entries", onDelete: "CASCADE", nullable: false,
                   joinColumn: { name: "accountId" } },
    },
    indices: [{ columns: ["account", "amount"] }],
});

class Shop1700000000000 {
    name = "Shop1700000000000";

    async up(runner) {
        await runner.query(`CREATE TABLE "account" ("id" uuid NOT NULL DEFAULT uuid_generate_v4(),
            "name" character varying(100) NOT NULL, "balance" integer NOT NULL DEFAULT 100,
            "opened" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(), "version" integer NOT NULL,
            CONSTRAINT "PK_account" PRIMARY KEY ("id"), CONSTRAINT "UQ_account" UNIQUE ("name"))`);
        await runner.query(`CREATE TABLE "entry" ("id" SERIAL NOT NULL, "amount" integer NOT NULL,
            "accountId" uuid NOT NULL REFERENCES "account" ON DELETE CASCADE, CONSTRAINT "PK_entry" PRIMARY KEY ("id"))`);
    }

    async down(runner) {
        await runner.query(`DROP TABLE "entry"`);
        await runner.query(`DROP TABLE "account"`);
    }
}

class Details1700000000001 {
    name = "Details1700000000001";
    transaction = false;

    async up(runner) {
        await runner.query(`ALTER TABLE "account" ADD "detail" jsonb NOT NULL DEFAULT '{}'`);
        await runner.query(`ALTER TABLE "account" ADD "tags" character varying array NOT NULL DEFAULT '{}'`);
        await runner.query(`CREATE INDEX CONCURRENTLY "IDX_entry" ON "entry" ("accountId", "amount")`);
    }

    async down(runner) {
        await runner.query(`DROP INDEX CONCURRENTLY "IDX_entry"`);
        await runner.query(`ALTER TABLE "account" DROP COLUMN "detail", DROP COLUMN "tags"`);
    }
}

// As Misskey has it: its own limit for statements, a pool, no synchronization by itself.
function makeDataSource(changes = {}) {
    return new DataSource({
        type: "postgres",
        host: process.env.PGHOST,
        port: Number(process.env.PGPORT),
        username: process.env.PGUSER,
        password: process.env.PGPASSWORD,
        database: process.env.PGDATABASE,
        applicationName: "shop",
        extra: { statement_timeout: STATEMENT_TIMEOUT_MS, max: WORKERS + 2, connectionTimeoutMillis: 20000,
                 options: "-c shop.branch=north" },
        entities: [Account, Entry],
        migrations: [Shop1700000000000, Details1700000000001],
        migrationsTransactionMode: "each",
        synchronize: false,
        logging: ["warn"],
        ...changes,
    });
}

module.exports = { Account, Entry, STATEMENT_TIMEOUT_MS, makeDataSource };
