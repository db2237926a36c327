/** Renews the drawing of the rooms in docs/architecture.md; part of `npm run docs`. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { OWN_SOURCES, readSources } from './imports.ts';
import { drawRooms, withDrawing } from './rooms-drawing.ts';

const page = new URL('../../../docs/architecture.md', import.meta.url);
const files = await readSources(fileURLToPath(OWN_SOURCES));
await writeFile(page, withDrawing(await readFile(page, 'utf8'), drawRooms(files)));
