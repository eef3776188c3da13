"use strict";
// A shop on TypeORM with node-postgres: migrations, entities, transactions and streams, in many workers.

const { exit } = require("./checks");
const entities = require("./entity_checks");
const sessions = require("./session_checks");
const { shop } = require("./data_source");

async function main() {
    await shop.open();
    await entities();
    await sessions();
    exit();
}

main().catch((error) => {
    console.log(error);
    process.exit(1);
});
