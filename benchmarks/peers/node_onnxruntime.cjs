// /// script
// dependencies = ["onnxruntime-node"]
// ///
// Node.js with onnxruntime-node on skl2onnx's float32 graph: its own HTTP server, one array or an array a column, one run.

process.env.ORT_DISABLE_TELEMETRY = "1";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const ort = require("onnxruntime-node");

const KINDS = { number: "float32", category: "string" };

function tensor(kind, values) {
  const numbers = () => Float32Array.from(values, (value) => value ?? NaN);
  return new ort.Tensor(KINDS[kind], kind === "number" ? numbers() : values, [1, values.length]);
}

async function make(folder) {
  const features = JSON.parse(fs.readFileSync(path.join(folder, "features.json")));
  const names = Object.keys(features);
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, executionProviders: ["cpu"] };
  const session = await ort.InferenceSession.create(path.join(folder, "float32.onnx"), options);
  const inputs = session.inputNames;
  const [label, scores] = session.outputNames;

  async function predict(row) {
    const start = performance.now();
    const feed =
      inputs.length === 1
        ? { [inputs[0]]: tensor("number", names.map((name) => row[name])) }
        : Object.fromEntries(names.map((name, n) => [inputs[n], tensor(features[name], [row[name]])]));
    const found = await session.run(feed);
    const first = found[label].data[0];
    const answer = { prediction: typeof first === "bigint" ? Number(first) : first };
    if (scores) answer.probability = Math.max(...found[scores].data);
    return { ...answer, latency_ms: performance.now() - start };
  }

  return http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      try {
        const body = Buffer.from(JSON.stringify(await predict(JSON.parse(Buffer.concat(chunks)))));
        response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    });
  });
}

make(process.argv[2]).then((server) => server.listen(Number(process.argv[3]), "127.0.0.1"));
