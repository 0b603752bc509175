--[[
  Makes a partition's log where there is none, and notices when the log was emptied or rewound: when an id that it is
  known to have held is neither in it nor older than all that it still holds, or is another message's. Then the floor is
  raised.

  KEYS[1]  the partition's log (stream)
  KEYS[2]  the partition's floor (string, see above)

  ARGV     entries that the log is known to have held, three values each: id; channel, '' for a marker; data, '' where it
           is not known. None for who has read nothing yet.

  Reply: { floor, id of the newest entry, id of the oldest entry, 1 when the oldest entry is a marker or 0 }
]]

local log, floor = KEYS[1], KEYS[2]

local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local start = readFloor(floor)
local intact = oldest and start
local ids = {}
for i = 1, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end

local function holds(id, channel, data)
  local entry = redis.call('XRANGE', log, id, id)[1]
  if not entry or channel == '' then return entry end
  return entry[2][2] == channel and (data == '' or entry[2][4] == data)
end

local oldestLost
if intact then
  local highest = highestId(log)
  for i, id in ipairs(ids) do
    -- What is older than the floor is missing by its word already: one loss raises it once, however many nodes saw it.
    local lost = not isOlder(id, start) and not isOlder(id, oldest[1]) and not holds(id, ARGV[3 * i - 1], ARGV[3 * i])
    if lost or isOlder(highest, id) then
      intact = false
      if not oldestLost or isOlder(id, oldestLost) then oldestLost = id end
    end
  end
end
if not intact then
  local before = oldestLost and redis.call('XREVRANGE', log, '(' .. oldestLost, '-', 'COUNT', 1)[1]
  start = raiseFloor(log, floor, ids, before and before[1])
  oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
end
local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
return { start, newest[1], oldest[1], oldest[2][1] == 'f' and 1 or 0 }
