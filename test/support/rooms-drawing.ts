/** The drawing of the rooms in docs/architecture.md, made from the imports. */
import type { SourceFile } from './imports.ts';
import { arrowsOf, ROOMS, roomOf } from './rooms.ts';

const BEGIN = '<!-- rooms: drawn from the imports by `npm run docs` -->';
const END = '<!-- rooms: end -->';

const TOP_LABEL = 'main.ts, app.ts, serve.ts, model-process.ts, convert.ts';

/** A Mermaid flowchart: one box a room, one arrow from each room to each that it imports, `base` left out. */
export function drawRooms(files: readonly SourceFile[]): string {
  const present = new Set(files.map(({ path }) => roomOf(path)));
  const rooms = Object.keys(ROOMS).filter((room) => present.has(room) && room !== 'base');
  const arrows = arrowsOf(files).filter(({ to }) => to !== 'base');
  return [
    '```mermaid',
    'flowchart TD',
    ...rooms.map((room) => `  ${room}["${room === 'top' ? TOP_LABEL : `${room}/`}"]`),
    ...arrows.map(({ from, to }) => `  ${from} --> ${to}`),
    '```',
  ].join('\n');
}

/** The page with the drawing between its two marks replaced. */
export function withDrawing(page: string, drawing: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`The page lacks the marks "${BEGIN}" and "${END}".`);
  return `${page.slice(0, begin + BEGIN.length)}\n${drawing}\n${page.slice(end)}`;
}
