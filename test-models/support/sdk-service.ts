/** A service in which every error of the contract can be met at will, for the tests of the SDKs. */
import { request } from 'node:http';
import { eventually } from '../../test/support/processes.ts';
import type { RunningService } from './service.ts';

export const SDK_KEY = 'key-of-the-sdk-tests';
export const SDK_MODEL = 'whisper-base-int8';
/** Known, but neither installed nor to be had from this service: 503. */
export const SDK_MISSING_MODEL = 'whisper-large-v3';
/** More than the recordings take, and less than a test minds to send. */
export const SDK_MAX_UPLOAD_BYTES = 1_000_000;

export const SDK_ENVIRONMENT = {
  PERCEPT_API_KEYS: SDK_KEY,
  PERCEPT_QUEUE_MAX_DEPTH: '1',
  PERCEPT_SERVER_MAX_UPLOAD_BYTES: String(SDK_MAX_UPLOAD_BYTES),
  PERCEPT_MODELS_AUTO_PULL: 'false',
};

/** Takes the service's only turn by an upload that does not end, does the work, and gives the turn back. */
export async function withFullQueue<T>(service: RunningService, work: () => Promise<T>): Promise<T> {
  const upload = request(`${service.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${SDK_KEY}`,
      'content-type': 'multipart/form-data; boundary=b',
      'transfer-encoding': 'chunked',
    },
  });
  // It ends by being destroyed, which is no failure.
  upload.on('error', () => {});
  upload.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF');
  await eventually(async () => (await service.health()).queueDepth === 1, 'the upload has its turn');
  try {
    return await work();
  } finally {
    upload.destroy();
    await eventually(async () => (await service.health()).queueDepth === 0, 'the turn is given back');
  }
}
