import { expect, test } from "bun:test";
import { download } from "./download.ts";

const exchange = {
  inPieces(): never {
    throw new Error("a small file goes out at once");
  },
};

test.each([
  ["report.pdf", `filename="report.pdf"; filename*=UTF-8''report.pdf`],
  ["Übersicht 1.pdf", `filename="_bersicht 1.pdf"; filename*=UTF-8''%C3%9Cbersicht%201.pdf`],
  ['a"b\\c%41.txt', `filename="a_b_c_41.txt"; filename*=UTF-8''a%22b_c%2541.txt`],
  ["../../etc/passwd", `filename="__.._etc_passwd"; filename*=UTF-8''__.._etc_passwd`],
  ["x\r\nSet-Cookie: a=b", `filename="x__Set-Cookie: a=b"; filename*=UTF-8''x__Set-Cookie%3A%20a%3Db`],
  ["exe.\u202etxt", `filename="exe._txt"; filename*=UTF-8''exe._txt`],
  ["\ud800.txt", `filename="_.txt"; filename*=UTF-8''%EF%BF%BD.txt`],
  ["it's (1)*.txt", `filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`],
])("a file named %j is saved under a harmless name", (name, disposition) => {
  expect(download(exchange, new Uint8Array(), "text/plain", name).headers.get("content-disposition")).toBe(
    `attachment; ${disposition}`,
  );
});

test.each([
  ["image/png", "image/png"],
  ["text/html", "text/html"],
  ["text/html; charset=x\r\nA: b", "application/octet-stream"],
  ["", "application/octet-stream"],
  ["nonsense", "application/octet-stream"],
])("a part of type %j goes out as %s, sandboxed", (type, sent) => {
  const { headers } = download(exchange, new Uint8Array(), type, "x");
  expect(headers.get("content-type")).toBe(sent);
  expect(headers.get("content-security-policy")).toStartWith("sandbox; default-src 'none'");
});
