--[[
  Put before append.lua and open.lua: ids, and the floor of a partition's log.

  An id is '<milliseconds>-<sequence>', both unsigned 64 bit. A Lua number holds 53 bits: enough for the milliseconds of
  this millennium, not for a sequence, so ids are compared as digits.

  A marker is an entry with the field `f` and no channel. Its id is the floor: whatever the log held before may be gone.
  Being an entry, it reaches every tail in its place in the order. `f` is the id after which something is known to be gone, or '-'.

  The floor's key holds three words: the floor; an id, `since`; and `ttls`, for how long histories are kept after their
  newest message, as whoever appends has it configured ('-' while nobody has appended). Since that id all who appended
  had the same. Without this, a history that expired early, under settings of before, would look like one that never was.
]]

local function milliseconds(id)
  return tonumber(string.match(id, '^%d+'))
end

-- True when id `a` is older than id `b`. Both as Redis writes them, without leading zeros.
local function isOlder(a, b)
  local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
  local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
  if aMs ~= bMs then aSeq, bSeq = aMs, bMs end
  if #aSeq ~= #bSeq then return #aSeq < #bSeq end
  return aSeq < bSeq
end

-- Milliseconds since 1970 by this Redis.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The floor, since when `ttls` have been the same, and these. Nothing when there is no floor.
local function readFloor(key)
  local value = redis.call('GET', key)
  if not value then return nil end
  return string.match(value, '^(%S+) (%S+) (%S+)$')
end

local function writeFloor(key, floor, since, ttls)
  redis.call('SET', key, floor .. ' ' .. since .. ' ' .. ttls)
end

local function idAt(ms)
  return string.format('%.0f-0', ms)
end

local function lastIdBefore(ms)
  return string.format('%.0f-18446744073709551615', ms - 1)
end

-- The highest id that a stream ever had, or nil when there is no such stream.
local function highestId(stream)
  if redis.call('EXISTS', stream) == 0 then return nil end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
  return nil
end

-- Appends a marker that is newer than the log, the old floor, all of `ids`, and whatever can have been appended up to this
-- millisecond (a tail may have read it from a log that is gone), and makes it the floor.
local function raiseFloor(log, floor, ids, goneAfter)
  local ms = clock() + 1
  for _, id in ipairs(ids) do ms = math.max(ms, milliseconds(id) + 1) end
  for _, id in ipairs({ highestId(log) or '0-0', readFloor(floor) or '0-0' }) do
    ms = math.max(ms, milliseconds(id) + 1)
  end
  local marker = idAt(ms)
  redis.call('XADD', log, marker, 'f', goneAfter or '-')
  writeFloor(floor, marker, marker, '-')
  return marker
end
