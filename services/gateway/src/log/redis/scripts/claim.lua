--[[
  Makes somebody the holder of a value that nobody holds, or says whether he holds it. To be repeated without harm.

  KEYS[1]  the ticket (hash, see put.lua)

  ARGV[1]  who may hold it already, '' for nobody
  ARGV[2]  who is to hold it if nobody does, not ''

  Reply: { 'opened', value } when ARGV[2] holds it, from now on or by this same call made before
         { 'again', value }  when ARGV[1] holds it
         { 'taken' }         when another does
         { 'unknown' }       when there is none
]]

local ticket, presented, fresh = KEYS[1], ARGV[1], ARGV[2]

local value, keepUntil, holder = unpack(redis.call('HMGET', ticket, 'v', 'u', 'h'))
if not value then return { 'unknown' } end
if not holder then
  redis.call('HSET', ticket, 'h', fresh)
  redis.call('PEXPIREAT', ticket, keepUntil)
  return { 'opened', value }
end
if holder == presented then return { 'again', value } end
if holder == fresh then return { 'opened', value } end
return { 'taken' }
