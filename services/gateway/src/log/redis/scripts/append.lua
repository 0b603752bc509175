--[[
  Appends one message: to its partition's log, under the same id to its channel's history, and its idempotency key.
  Nothing is appended when the idempotency key has been used.

  KEYS[1]  the partition's log (stream: c = channel, d = data, e = event, t = time to live in milliseconds)
  KEYS[2]  the partition's floor (string, see above)
  KEYS[3]  the channel's history (stream: p = id of the channel's message before, d = data, e = event, t = as in the log;
           only p when the message is not kept)
  KEYS[4]  the idempotency key (string: an id); left out when the message has none

  ARGV[1]  channel
  ARGV[2]  data
  ARGV[3]  event, '' for none
  ARGV[4]  the message's own time to live, milliseconds, '' for none
  ARGV[5]  messages that the history holds; 0: none, only the newest one's id
  ARGV[6]  how long the history holds them, milliseconds
  ARGV[7]  how long the history's key stays after its newest message, milliseconds, not less than that
  ARGV[8]  for how long all histories stay, in one word: whoever has other settings has another word
  ARGV[9]  entries that the log holds, at least
  ARGV[10] how long an idempotency key holds, milliseconds
  ARGV[11] 1 when replicas are waited for afterwards: a used key is then renewed, because WAIT is promised for writes only

  Reply: { id, 1 when the idempotency key had been used (the id is the first one's) or 0 }
  An error reply means that nothing was appended: whatever can fail, but for a right that is missing (ACL), is read before the
  first write. Right after it comes the idempotency key, so that a retry finds what was appended whatever follows.
]]

local log, floor, history, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local channel, data, event, ownTtl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local historySize, historyTtl, keyTtl, ttls = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local logSize, onceTtl, replicated = ARGV[9], ARGV[10], ARGV[11] == '1'

if once then
  local first = redis.call('GET', once)
  if first then
    if replicated then redis.call('PEXPIREAT', once, string.format('%.0f', clock() + onceTtl)) end
    return { first, 1 }
  end
end

local newest = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
local previous = newest and newest[1]

-- A log that is gone, or has lost its floor, has lost messages: the first to write says so in the log.
local start, since, knownTtls = readFloor(floor)
if not start or redis.call('EXISTS', log) == 0 then
  start = raiseFloor(log, floor, { previous })
  since, knownTtls = start, '-'
end
if knownTtls ~= ttls then
  -- Others, with other settings, may have appended up to now.
  if knownTtls ~= '-' then since = highestId(log) end
  writeFloor(floor, start, since, ttls)
end

local entry = { 'd', data }
if event ~= '' then entry[3], entry[4] = 'e', event end
if ownTtl ~= '' then
  entry[#entry + 1] = 't'
  entry[#entry + 1] = ownTtl
end

local function add()
  return redis.call('XADD', log, 'MAXLEN', '~', logSize, '*', 'c', channel, unpack(entry))
end

local id = add()
if previous and not isOlder(previous, id) then
  -- The history is ahead of the log, so the log was emptied or rewound: go on above both, and let everybody know.
  redis.call('XDEL', log, id)
  start = raiseFloor(log, floor, { previous })
  since = start
  writeFloor(floor, start, since, ttls)
  id = add()
end

if once then redis.call('SET', once, id, 'PX', onceTtl) end

if not previous then
  -- Whatever the channel had went with its history's key, or was never there.
  previous = lastIdBefore(milliseconds(id) - keyTtl + 1)
  for _, known in ipairs({ start, since }) do
    if isOlder(previous, known) then previous = known end
  end
end

local function keep()
  if historySize == 0 then return redis.pcall('XADD', history, 'MAXLEN', '=', 1, id, 'p', previous) end
  return redis.pcall('XADD', history, 'MAXLEN', '=', historySize, id, 'p', previous, unpack(entry))
end

if type(keep()) == 'table' then
  -- Only a history that was tampered with refuses the id. A message in the log must be in its history too, so the
  -- history starts again, and `p` says that anything may have been before.
  redis.call('DEL', history)
  previous = id
  keep()
end
if not newest then
  -- Redis makes a stream with room for 4 KiB; a copy has as much as it needs. Most channels have few messages. The copy's key is in the
  -- same slot, and there only within this script; while that slot moves, Redis refuses to copy.
  local copy = history .. ' copy'
  if redis.pcall('COPY', history, copy, 'REPLACE') == 1 then
    if redis.pcall('RENAME', copy, history).err then redis.call('DEL', copy) end
  end
end
if historySize > 0 then redis.call('XTRIM', history, 'MINID', '=', idAt(milliseconds(id) - historyTtl + 1)) end
redis.call('PEXPIREAT', history, string.format('%.0f', milliseconds(id) + keyTtl))
return { id, 0 }
