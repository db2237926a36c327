/**
 * Answers for a Hailo device in tests: the stub library (test/backends/hailo/stub/stub-hailort.c) sends it what was written to a network,
 * and reads back what the network's outputs are. So a pipeline can be tested with numbers of a model that runs here.
 *
 * On the wire, little-endian: a request is the group's name (u32 length, bytes), the number of inputs, for each a u32 type (1 uint8,
 * 3 float32), a u32 length and its bytes, then the number of outputs, for each a u32 type and the u32 length wanted. The reply is the number of
 * outputs, for each a u32 length and its bytes, or the number 0xffffffff where there is no answer. Both in the order of the HEF.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { ByteReader } from './byte-reader.ts';

/** A network by its numbers: the frames of its inputs in, those of its outputs out. */
export type PlayedNetwork = (inputs: (Float32Array | Uint8Array)[]) => Promise<Float32Array[]>;

export interface Player {
  /** Set as `STUB_HAILORT_PLAYER` where the stub runs. */
  readonly socketPath: string;
  /** What went wrong in a network, or in what it was asked; the stub shows it as status 8 only. */
  readonly errors: readonly Error[];
  close(): Promise<void>;
}

const UINT8 = 1;
const FAILED = 0xffffffff;
const BROKEN_OFF = ['ECONNRESET', 'EPIPE'];

/**
 * Listens at `socketPath`. The process that uses the stub may be this one, as its calls wait in threads of their own: only a network that
 * needs threads of Node's pool itself (files, sharp) must not play in a process whose pool has one thread.
 */
export async function startPlayer(
  socketPath: string,
  networks: Readonly<Record<string, PlayedNetwork>>,
): Promise<Player> {
  const errors: Error[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // The stub breaks a connection off where it has waited for too long.
    socket.on('error', () => {});
    serve(socket, networks, errors).catch((thrown: NodeJS.ErrnoException) => {
      // Whoever used the stub was ended in the middle of a frame.
      if (!BROKEN_OFF.includes(thrown.code ?? '')) errors.push(thrown);
      socket.destroy();
    });
  }).listen(socketPath);
  await once(server, 'listening');
  return {
    socketPath,
    errors,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(
  socket: Socket,
  networks: Readonly<Record<string, PlayedNetwork>>,
  errors: Error[],
): Promise<void> {
  const reader = new ByteReader(socket);
  while (await reader.hasMore()) {
    const { name, inputs, outputs } = await readRequest(reader);
    const reply = await play(networks[name], { name, inputs, outputs }).catch((thrown: Error) => {
      errors.push(thrown);
      return [uint32(FAILED)];
    });
    if (!socket.destroyed) socket.write(Buffer.concat(reply));
  }
  socket.end();
}

interface Request {
  readonly name: string;
  readonly inputs: (Float32Array | Uint8Array)[];
  readonly outputs: readonly { readonly type: number; readonly sizeBytes: number }[];
}

async function readRequest(reader: ByteReader): Promise<Request> {
  const name = (await reader.read(await reader.readUint32())).toString();
  const inputs: (Float32Array | Uint8Array)[] = [];
  for (let left = await reader.readUint32(); left > 0; left -= 1) {
    const type = await reader.readUint32();
    // A copy, as floats must begin at a multiple of four.
    const bytes = new Uint8Array(await reader.read(await reader.readUint32()));
    inputs.push(type === UINT8 ? bytes : new Float32Array(bytes.buffer));
  }
  const outputs: { type: number; sizeBytes: number }[] = [];
  for (let left = await reader.readUint32(); left > 0; left -= 1)
    outputs.push({ type: await reader.readUint32(), sizeBytes: await reader.readUint32() });
  return { name, inputs, outputs };
}

async function play(network: PlayedNetwork | undefined, request: Request): Promise<Buffer[]> {
  const { name, inputs, outputs } = request;
  if (network === undefined) throw new Error(`The player has no network "${name}".`);
  const answers = await network(inputs);
  if (answers.length !== outputs.length)
    throw new Error(`The network "${name}" gave ${answers.length} outputs, not ${outputs.length}.`);
  const parts = answers.flatMap((answer, index) => {
    const { type, sizeBytes } = outputs[index]!;
    const bytes = type === UINT8 ? Uint8Array.from(answer) : answer;
    if (bytes.byteLength !== sizeBytes)
      throw new Error(`Output ${index} of "${name}" has ${bytes.byteLength} bytes, not ${sizeBytes}.`);
    return [uint32(sizeBytes), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)];
  });
  return [uint32(answers.length), ...parts];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
