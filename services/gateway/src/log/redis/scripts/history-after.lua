--[[
  Reads a page of a channel's history, with what it takes to judge whether it is whole. Writes nothing.

  KEYS[1]  the channel's history (stream)

  ARGV[1]  an id: entries after it are wanted
  ARGV[2]  entries at most
  ARGV[3]  how long a history holds messages, milliseconds

  Reply: { the time, milliseconds, as text; id of the newest entry, or '' when there is no history; entries, oldest first }
  An entry that has expired is not handed out, even while it is still there.
]]

local history, after, limit = KEYS[1], ARGV[1], ARGV[2]
local now = clock()
local alive = now - tonumber(ARGV[3]) + 1
local from = milliseconds(after) < alive and idAt(alive) or '(' .. after

local newest = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
local entries = redis.call('XRANGE', history, from, '+', 'COUNT', limit)
return { string.format('%.0f', now), newest and newest[1] or '', entries }
