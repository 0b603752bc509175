--[[
  Reads the newest entries of a channel's history. Writes nothing.

  KEYS[1]  the channel's history (stream)

  ARGV[1]  entries at most
  ARGV[2]  how long a history holds messages, milliseconds

  Reply: entries, newest first. An entry that has expired is not handed out, even while it is still there.
]]

return redis.call('XREVRANGE', KEYS[1], '+', idAt(clock() - tonumber(ARGV[2]) + 1), 'COUNT', ARGV[1])
