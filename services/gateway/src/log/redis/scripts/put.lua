--[[
  Keeps a value that one holder may claim (claim.lua). A key that is there stays as it is: a call that comes late must not
  free what has been claimed meanwhile.

  KEYS[1]  the ticket (hash: v = value, u = until when its holder may have it, milliseconds since 1970 by this Redis,
           h = its holder, once there is one)

  ARGV[1]  value
  ARGV[2]  for how long it may be claimed, milliseconds
  ARGV[3]  for how long its holder may have it, milliseconds from now

  Reply: 1 when it is kept, 0 when there is one
]]

local ticket = KEYS[1]
local value, claimMs, keepMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

if redis.call('EXISTS', ticket) == 1 then return 0 end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', ticket, 'v', value, 'u', string.format('%.0f', now + keepMs))
redis.call('PEXPIREAT', ticket, string.format('%.0f', now + math.min(claimMs, keepMs)))
return 1
