--[[
  Grants permits at a rate: the generic cell rate algorithm (ITU-T I.371) as a leaky bucket, by this Redis' clock. What is kept is
  the debt: permits that were granted and that time has not made good yet. Not a time in the future: as a Lua number that
  would be rounded to a quarter of a microsecond with each grant, and a clock that is set back would block the account.

  KEYS[1]  the account (string: microseconds since 1970 of the last grant, and the debt right after it). It expires when
           the debt is made good.

  ARGV[1]  permits per second, > 0, may be a fraction
  ARGV[2]  permits at once, may be a fraction; at least 1 is taken
  ARGV[3]  permits that are asked for

  Reply: { permits granted, milliseconds until the next one will be granted (0 when all were) }
]]

local account = KEYS[1]
local perSecond, burst, count = tonumber(ARGV[1]), math.max(1, tonumber(ARGV[2])), tonumber(ARGV[3])

-- So that no rounding refuses the last permit of a burst. It stays in the debt, so nothing is given away.
local TINY = 1e-6
-- A Lua number counts whole milliseconds up to here.
local LONGEST = 2 ^ 53

local time = redis.call('TIME')
local now = time[1] * 1e6 + time[2]

local at, debt = now, 0
local state = redis.call('GET', account)
if state then
  local known, owed = string.match(state, '^(%S+) (%S+)$')
  at = tonumber(known)
  debt = math.min(burst, math.max(0, tonumber(owed) - math.max(0, now - at) * perSecond / 1e6))
end

local granted = math.max(0, math.min(count, math.floor(burst - debt + TINY)))
debt = debt + granted
-- A refusal changes nothing, unless the clock was set back: no time would pass until it is again where it was.
if granted > 0 or now < at then
  -- One more, as a key expires by the whole millisecond.
  local goneMs = math.min(LONGEST, math.ceil(debt / perSecond * 1000) + 1)
  redis.call('SET', account, string.format('%.0f %.17g', now, debt), 'PX', string.format('%.0f', goneMs))
end
if granted == count then return { granted, 0 } end
local waitMs = math.ceil((debt - (burst - 1)) / perSecond * 1000)
return { granted, math.min(LONGEST, math.max(1, waitMs)) }
