/** A Whisper model on a Hailo device, inside its model process. */
import type { HailoOptions } from '../../../backends/hailo/contract.ts';
import { openHailo } from '../../../backends/hailo/device.ts';
import { AppError } from '../../../base/errors.ts';
import type { LoadedModel, LoadSpec } from '../../../engine/protocol.ts';
import { openNpy } from '../../../graphs/npy.ts';
import { readHailoSettings } from '../../../store/hailo-settings.ts';
import { serveWhisper } from '../model.ts';
import { createTokenizer } from '../tokenizer.ts';
import { createHailoWhisper } from './backend.ts';
import { type ConvertedHailoWhisper, readConverted } from './convert.ts';
import { createSequenceEmbedding, type SequenceEmbedding } from './embedding.ts';
import { filesIn, type HailoWhisperFiles } from './files.ts';
import { openWhisperNetworks, type WhisperNetworks } from './networks.ts';
import { chooseEmbedding } from './positions.ts';
import { type HailoWhisperSettings, settingsSchema } from './settings.ts';

/** `LoadSpec.options` of a Whisper model on a Hailo device. */
export type HailoWhisperLoadOptions = {
  /** Directory of what `convert.ts` wrote. */
  readonly graphs: string;
  /** Directory of the Silero VAD model. */
  readonly vad: string;
  readonly hailo: HailoOptions;
};

/**
 * Tokens of a sequence from which on times are asked for. In shorter ones they take the room of words: with 24 tokens recordings need a
 * fifth more runs of the decoder, and no word more is right (docs/benchmarks.md, "Hailo").
 */
const ROOM_FOR_TIMES = 48;

/** Throws `unsupported_model`, and what the device throws. */
export async function load(spec: LoadSpec): Promise<LoadedModel> {
  const options = spec.options as unknown as HailoWhisperLoadOptions; // made by app.ts
  const files = filesIn(spec.directory);
  const settings = readHailoSettings(spec.directory, settingsSchema);
  const converted = readConverted(options.graphs);
  const device = await openHailo(options.hailo);
  try {
    const networks = await openWhisperNetworks(device, files);
    const { embedding, close } = await openEmbedding({ files, settings, converted, networks });
    const backend = createHailoWhisper({
      networks,
      embedding,
      tokens: converted.tokens,
      repetitionPenalty: settings.repetition_penalty,
      hasTimestamps:
        settings.timestamps === 'auto' ? networks.sequence >= ROOM_FOR_TIMES : settings.timestamps,
      async close() {
        close();
        await device.close();
      },
    });
    return await serveWhisper(spec.model, { ...converted, backend, vad: options.vad });
  } catch (error) {
    await device.close();
    throw error;
  }
}

interface EmbeddingRequest {
  readonly files: HailoWhisperFiles;
  readonly settings: HailoWhisperSettings;
  readonly converted: ConvertedHailoWhisper;
  readonly networks: WhisperNetworks;
}

async function openEmbedding({
  files,
  settings,
  converted,
  networks,
}: EmbeddingRequest): Promise<{ embedding: SequenceEmbedding; close(): void }> {
  const { sequence: length, width, vocabulary } = networks;
  const table = openTable(files.embedding, [vocabulary, width]);
  const added = settings.position_add === false ? undefined : files.positions;
  if (settings.position_add === true && added === undefined)
    throw new AppError(
      'unsupported_model',
      'hailo.json says position_add, but no positions (onnx_add_input*.npy) lie beside the model. Import it with them.',
    );
  const positions = added === undefined ? undefined : openTable(added, [length, width]);
  const withoutPositions = createSequenceEmbedding({ table, length, positions: undefined });
  const close = () => {
    table.close();
    positions?.close();
  };
  if (positions === undefined) return { embedding: withoutPositions, close };
  const withPositions = createSequenceEmbedding({ table, length, positions });
  if (settings.position_add === true) return { embedding: withPositions, close };
  const tokenizer = createTokenizer(converted.vocabulary, converted.tokens.endOfText);
  const { tokens } = converted;
  const trial = { networks, tokens, tokenizer, withPositions, withoutPositions };
  return { embedding: await chooseEmbedding(trial), close };
}

function openTable(path: string, [rows, width]: readonly [number, number]) {
  const table = openNpy(path);
  const [found = 0] = table.dims.slice(-2);
  if (table.dims.at(-1) === width && found === rows) return table;
  table.close();
  throw new AppError(
    'unsupported_model',
    `${path} has the shape ${table.dims.join(' x ')}, the networks need ${rows} x ${width}: it belongs to another model.`,
  );
}
