// The scripts of the renewal queue in ioredis, as docs/feeds/renewals.md says.
const fs = require("fs");
const Redis = require("ioredis");

const [socket, file] = process.argv.slice(2);
const redis = new Redis({path: socket});
for (const [name, lua] of Object.entries(JSON.parse(fs.readFileSync(file))))
	redis.defineCommand(`renewals_${name}`, {numberOfKeys: 1, lua});
const queue = "segd:renewals";

async function main() {
	const [, ...claimed] =
		await redis.renewals_claim(queue, "node", 60000, 2);
	const [account, token, , view] = claimed[0];
	const fields = {};
	for (let i = 0; i < view.length; i += 2)
		fields[view[i]] = view[i + 1];
	const out = {first: claimed.map((c) => c[0]),
		window: fields["renewal.window"]};
	out.foreign = await redis.renewals_done(queue, account, "other", "")
		.catch((error) => error.message.split(" ")[0]);
	out.done = await redis.renewals_done(queue, account, "node", token);
	out.released = await redis.renewals_release(
		queue, claimed[1][0], "node", claimed[1][1]);
	const [left, next] = await redis.renewals_claim(queue, "node", 60000, 1);
	console.log(JSON.stringify({...out, again: next[0], left}));
	await redis.quit();
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
