// Use the service through OpenAI's own client, in every way that it has, and print what came back.
// usage: node transcribe.mjs BASE_URL LOCKED_BASE_URL MEDIA
import { createReadStream } from "node:fs";
import OpenAI, { toFile } from "openai";

const [baseURL, lockedBaseURL, media] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 });
const locked = new OpenAI({ baseURL: lockedBaseURL, apiKey: "wrong", maxRetries: 0 });
const { transcriptions, translations } = client.audio;

const transcribed = (options) =>
  transcriptions.create({ file: createReadStream(media), model: "tiny.en", ...options });

async function streamed(options) {
  const events = [];
  for await (const event of await transcribed({ stream: true, ...options })) events.push(event);
  return events;
}

async function refused(call) {
  try {
    await call();
  } catch (error) {
    const { status, code, param, type } = error;
    return { name: error.constructor.name, status, code, param, type };
  }
  return null;
}

const noMedia = () => toFile(Buffer.from("no media at all"), "note.mp3");
const models = [];
for await (const model of client.models.list()) models.push(model.id);

console.log(
  JSON.stringify({
    json: await transcribed({ response_format: "json" }),
    text: await transcribed({ response_format: "text" }),
    srt: await transcribed({ response_format: "srt" }),
    vtt: await transcribed({ response_format: "vtt" }),
    verbose: await transcribed({
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    }),
    diarized: await transcribed({
      model: "gpt-4o-transcribe-diarize",
      response_format: "diarized_json",
      chunking_strategy: { type: "server_vad", threshold: 0.5 },
    }),
    translated: await translations.create({ file: createReadStream(media), model: "base" }),
    streamed: await streamed({}),
    models,
    model: await client.models.retrieve("whisper-large-v3"),
    unknownModel: await refused(() => transcribed({ model: "gpt-9" })),
    badMedia: await refused(async () => transcribed({ file: await noMedia() })),
    badMediaStreamed: await refused(async () => streamed({ file: await noMedia() })),
    wrongKey: await refused(() => locked.models.list()),
  }),
);
