"use strict";
// What the checks of app.js stand on. See: README.md of the folder above

const THREADS = Number(process.env.THREADS);
const CHECK_MS_MAX = 20000;
let failed = 0;

function must(got, want, what = "") {
    const [seen, wanted] = [JSON.stringify(got), JSON.stringify(want)];
    if (seen !== wanted) throw new Error(`${what} got ${seen}, want ${wanted}`);
}

function within(promise, ms) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Runs it as many times at once as the application has workers; returns what they returned.
function inWorkers(work, count = THREADS) {
    return Promise.all(Array.from({ length: count }, (_, number) => work(number)));
}

async function mustFail(promise, code) {
    const failure = await promise.then(() => null, (error) => error);
    must(failure && (failure.code || failure.driverError?.code), code, "SQLSTATE");
}

function where(error) {
    return /(\w+\.js:\d+):\d+\)?$/m.exec((error.stack || "").split("\n").filter((line) =>
        line.includes("frameworks.d") && !line.includes("node_modules") && !line.includes("checks.js")).join("\n"))?.[1];
}

async function check(name, work, beginAnew) {
    const started = process.hrtime.bigint();
    try {
        await within(work(), CHECK_MS_MAX);
        console.log(`ok ${name}`);
    } catch (error) {
        failed += 1;
        console.log(`failed ${name}: ${String(error.message).replace(/\s+/g, " ")} at ${where(error) || "?"}`);
        await beginAnew();
    }
    console.log(`# ${(Number(process.hrtime.bigint() - started) / 1e9).toFixed(2)} s`);
}

module.exports = { THREADS, check, inWorkers, must, mustFail, exit: () => process.exit(failed ? 1 : 0) };
