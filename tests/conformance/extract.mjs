// Print the official CEL cases, one JSON object a line, each with the reason
// why it is left out, if it is.
//
//   node extract.mjs DIR     DIR: the unpacked package @bufbuild/cel-spec
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const dir = process.argv[2];
const load = async (name) =>
	(await import(pathToFileURL(join(dir, "dist/esm/testdata", name)))).tests;

// (a literal's text must not look like syntax)
const strings = /r?b?("""[^]*?"""|'''[^]*?'''|"(\\.|[^"\\])*"|'(\\.|[^'\\])*')/g;

// What we do not have, and how a case shows that it needs it.
function reason(section, test) {
	const code = test.expr.replace(strings, '""');
	const all = JSON.stringify({ ...test, expr: code, container: undefined });
	const known = all.replaceAll(/google\.protobuf\.(Timestamp|Duration)\b/g, "");

	if (section === "enums" || /Enum\b/.test(code))
		return "protobuf enum";
	if (/TestAllTypes|TestRequired|google\.protobuf\./.test(known))
		return "protobuf message";
	if (/(?!\bin\b)\b[A-Za-z_]\w*\s*\{/.test(code))
		return "protobuf message";
	if (/^proto[23]/.test(section) || /\bproto\./.test(code))
		return "protobuf message";
	if (section === "optionals" || /optional|\[\?|\.\?|\{\s*\?|abstractType/.test(all))
		return "optional";
	if (/\.matches\(|\bmatches\(/.test(code))
		return "matches";
	if (/\bcel\.(block|index|iterVar|accuVar)\b/.test(code))
		return "block ext";
	if (/\bnet\.|\b(ip|cidr|isIP|isCIDR)\(/.test(code))
		return "network ext";
	if (/"function"/.test(JSON.stringify(test.typeEnv ?? [])))
		return "declares functions";
	return null;
}

function walk(suite, path) {
	for (const { original: test } of suite.tests ?? []) {
		console.log(JSON.stringify({
			...test,
			name: [...path, test.name].join("/"),
			left_out: reason(path[0], test),
		}));
	}
	for (const inner of suite.suites ?? [])
		walk(inner, [...path, inner.name]);
}

for (const suite of (await load("conformance.js")).suites)
	walk(suite, [suite.name]);
