"use strict";
// The one data source of the application, replaced after a check that failed.

const checks = require("./checks");
const { makeDataSource } = require("./shop");

const shop = {
    source: null,

    async open() {
        this.source = await makeDataSource().initialize();
    },

    // Connections in the middle of something are left to themselves.
    async beginAnew() {
        for (const client of this.source.driver.master._clients) client.connection.stream.destroy();
        await this.open();
    },
};

const check = (name, work) => checks.check(name, () => work(shop.source), () => shop.beginAnew());

// A query runner is one connection, for as long as work() has it.
async function withRunner(source, work) {
    const runner = source.createQueryRunner();
    await runner.connect();
    try {
        return await work(runner);
    } finally {
        await runner.release();
    }
}

module.exports = { check, shop, withRunner };
