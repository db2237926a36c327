/**
 * The steps that Redis makes as one. A task is one hash; the sets beside it repeat what is asked for, and are written with it. A change is written
 * only where the record is still the one that it was made from.
 */

import type { StoredTask } from './record.ts';
import { hasEnded } from './task.ts';

/** Of everything that belongs to tasks, in the database of results. */
export const PREFIX = 'percept:';

export const keys = {
  task: (id: string) => `${PREFIX}task:${id}`,
  idempotency: (lane: string, key: string) => `${PREFIX}key:${lane}:${key}`,
  waiting: (lane: string) => `${PREFIX}lane:${lane}:waiting`,
  running: (lane: string) => `${PREFIX}lane:${lane}:running`,
  /** All that are kept, by the number of their submission. */
  all: (lane: string) => `${PREFIX}lane:${lane}:all`,
  /** How long the last attempts ran. */
  runs: (lane: string) => `${PREFIX}lane:${lane}:runs`,
  /** `LANE ID` of ended tasks, by when they are no longer kept. */
  ended: `${PREFIX}ended`,
  workers: `${PREFIX}workers`,
  worker: (id: string) => `${PREFIX}worker:${id}`,
  reconciling: (lane: string) => `${PREFIX}lane:${lane}:reconciling`,
} as const;

/** As the scripts take a task. Its output goes beside it: what is large is not to be parsed there. */
export function toScript({ record, input }: Pick<StoredTask, 'record' | 'input'>): string {
  return JSON.stringify({
    id: record.id,
    lane: record.lane,
    key: record.idempotency?.key,
    state: record.state,
    hasEnded: hasEnded(record),
    revision: record.revision,
    token: record.token ?? '',
    isCancelling: record.isCancelling ? '1' : '',
    ranMs: record.ranMs,
    record: JSON.stringify(record),
    input,
  });
}

const COMMON = `
local P = '${PREFIX}'
local function lane(t, what) return P .. 'lane:' .. t.lane .. ':' .. what end
local function taskKey(id) return P .. 'task:' .. id end
local function keyKey(t) return P .. 'key:' .. t.lane .. ':' .. t.key end
local function known(t)
  if t.key then
    local id = redis.call('GET', keyKey(t))
    if id and redis.call('EXISTS', taskKey(id)) == 1 then return id end
  end
  if redis.call('EXISTS', taskKey(t.id)) == 1 then return t.id end
  return false
end
local function isFull(t, most)
  return tonumber(most) >= 0 and redis.call('SCARD', lane(t, 'waiting')) >= tonumber(most)
end
local function keep(t, ms)
  if ms > 0 then
    redis.call('PEXPIRE', taskKey(t.id), ms)
    if t.key then redis.call('PEXPIRE', keyKey(t), ms) end
    local time = redis.call('TIME')
    redis.call('ZADD', P .. 'ended', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + ms, t.lane .. ' ' .. t.id)
  else
    redis.call('PERSIST', taskKey(t.id))
    if t.key then redis.call('PERSIST', keyKey(t)) end
    redis.call('ZREM', P .. 'ended', t.lane .. ' ' .. t.id)
  end
end
local function write(t, keepMs, output)
  redis.call('HSET', taskKey(t.id), 'record', t.record, 'state', t.state, 'revision', t.revision, 'token', t.token, 'isCancelling', t.isCancelling)
  if output ~= '' then redis.call('HSET', taskKey(t.id), 'output', output) end
  redis.call('SREM', lane(t, 'waiting'), t.id)
  redis.call('SREM', lane(t, 'running'), t.id)
  if not t.hasEnded then redis.call('SADD', lane(t, t.state), t.id) end
  keep(t, t.hasEnded and tonumber(keepMs) or 0)
end
local function insert(t, keepMs, output)
  redis.call('HSET', taskKey(t.id), 'input', t.input, 'beats', 0)
  if t.key then redis.call('SET', keyKey(t), t.id) end
  redis.call('ZADD', lane(t, 'all'), redis.call('INCR', P .. 'number'), t.id)
  write(t, keepMs, output)
end
`;

/** ARGV: task, most that wait or -1, how long it is kept if it has ended, output or ''. Gives 'new', the id of the task that was there, or ''. */
export const INSERT = `${COMMON}
local t = cjson.decode(ARGV[1])
local id = known(t)
if id then return id end
if isFull(t, ARGV[2]) then return '' end
insert(t, ARGV[3], ARGV[4])
return 'new'
`;

/** ARGV: task, revision before, most that wait or -1, how long it is kept if it has ended, a list of tasks that follow, output or ''. */
export const CHANGE = `${COMMON}
local t = cjson.decode(ARGV[1])
if redis.call('HGET', taskKey(t.id), 'revision') ~= ARGV[2] then return 'conflict' end
if isFull(t, ARGV[3]) then return 'full' end
write(t, ARGV[4], ARGV[6])
if t.hasEnded then
  redis.call('LPUSH', lane(t, 'runs'), t.ranMs)
  redis.call('LTRIM', lane(t, 'runs'), 0, 19)
end
for _, next in ipairs(cjson.decode(ARGV[5])) do
  if not known(next) then insert(next, 0, '') end
end
return 'changed'
`;

/** ARGV: id, token. Gives '' when the claim is lost. */
export const BEAT = `${COMMON}
local t = redis.call('HMGET', taskKey(ARGV[1]), 'state', 'token', 'isCancelling')
if t[1] ~= 'running' or t[2] ~= ARGV[2] then return '' end
redis.call('HINCRBY', taskKey(ARGV[1]), 'beats', 1)
return t[3] == '1' and 'cancel' or 'go on'
`;

/** ARGV: most at once. Gives the ids of tasks that Redis let go; each is told of once. */
export const SWEEP = `${COMMON}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local gone = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', P .. 'ended', '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local inLane, id = string.match(member, '^(.*) (%S+)$')
  redis.call('DEL', taskKey(id))
  redis.call('ZREM', P .. 'ended', member)
  redis.call('ZREM', P .. 'lane:' .. inLane .. ':all', id)
  gone[#gone + 1] = id
end
return gone
`;
