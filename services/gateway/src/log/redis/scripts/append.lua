--[[
  Appends one message: to its partition's log, under the same id to its channel's history, and its idempotency key.
  Nothing is written when the idempotency key has been used.

  KEYS[1]  the partition's log (stream: c = channel, d = data, e = event)
  KEYS[2]  the partition's floor (string: an id)
  KEYS[3]  the channel's history (stream: p = id of the channel's message before, d = data, e = event)
  KEYS[4]  the idempotency key (string: an id); left out when the message has none

  ARGV[1]  channel
  ARGV[2]  data
  ARGV[3]  event, '' for none
  ARGV[4]  messages that a history holds
  ARGV[5]  how long a history holds them, milliseconds
  ARGV[6]  entries that the log holds, at least
  ARGV[7]  how long an idempotency key holds, milliseconds

  Reply: { id, 1 when the idempotency key had been used (the id is the first one's) or 0 }
  An error reply means that nothing was appended: whatever can fail is read before the first write.
]]

local log, floor, history, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local channel, data, event = ARGV[1], ARGV[2], ARGV[3]
local historySize, historyTtl, logSize, onceTtl = ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]

if once then
  local first = redis.call('GET', once)
  if first then return { first, 1 } end
end

local newest = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
local previous = newest and newest[1]

-- A log that is gone, or has lost its floor, has lost messages: the first to write says so in the log.
local start = redis.call('GET', floor)
if not start or redis.call('EXISTS', log) == 0 then start = raiseFloor(log, floor, { previous }) end

local function add()
  if event == '' then return redis.call('XADD', log, 'MAXLEN', '~', logSize, '*', 'c', channel, 'd', data) end
  return redis.call('XADD', log, 'MAXLEN', '~', logSize, '*', 'c', channel, 'd', data, 'e', event)
end

local id = add()
if previous and not isOlder(previous, id) then
  -- The history is ahead of the log, so the log was emptied or rewound: go on above both, and let everybody know.
  redis.call('XDEL', log, id)
  start = raiseFloor(log, floor, { previous })
  id = add()
end

-- Messages older than this have expired; when the channel had any, the history's key went with them.
local alive = milliseconds(id) - historyTtl + 1
if not previous then previous = milliseconds(start) >= alive and start or lastIdBefore(alive) end

local function keep(before)
  if event == '' then return redis.pcall('XADD', history, 'MAXLEN', '=', historySize, id, 'p', before, 'd', data) end
  return redis.pcall('XADD', history, 'MAXLEN', '=', historySize, id, 'p', before, 'd', data, 'e', event)
end

if type(keep(previous)) == 'table' then
  -- Only a history that was tampered with refuses the id. A message in the log must be in its history too, so the
  -- history starts again, and `p` says that anything may have been before.
  redis.call('DEL', history)
  keep(id)
end
redis.call('XTRIM', history, 'MINID', '=', idAt(alive))
redis.call('PEXPIREAT', history, string.format('%.0f', milliseconds(id) + historyTtl))
if once then redis.call('SET', once, id, 'PX', onceTtl) end
return { id, 0 }
