-- A dissector for Wireshark and tshark, from 4.0 on: timesvc's requests and replies, one by one,
-- however they were cut into segments. To look at a capture with it:
--
--     tshark -X lua_script:timesvc.lua -r experiment.pcapng
--
-- To have it always, copy it to the directory that Help > About Wireshark > Folders calls Personal
-- Lua Plugins. For another port use Decode As, or -d tcp.port==4500,timesvc. Some versions (Debian
-- 13's) load no script for root, without a word: be another user.

local timesvc = Proto("timesvc", "Time Service")
local fields = {
    request = ProtoField.string("timesvc.request", "Request"),
    time = ProtoField.string("timesvc.time", "Time"),
    invalid = ProtoField.string("timesvc.invalid", "Invalid"),
    terminator = ProtoField.string("timesvc.terminator", "Terminator"),
    unfinished = ProtoField.string("timesvc.unfinished", "Unfinished"),
    ignored = ProtoField.string("timesvc.ignored", "Ignored, after QUIT"),
    other = ProtoField.string("timesvc.other", "Not of this protocol"),
    request_in = ProtoField.framenum("timesvc.request_in", "Request in", base.NONE, frametype.REQUEST),
    reply_in = ProtoField.framenum("timesvc.reply_in", "Reply in", base.NONE, frametype.RESPONSE),
    response_time = ProtoField.relative_time("timesvc.response_time", "Response time"),
}
timesvc.fields = fields
local tcp_stream = Field.new("tcp.stream")

-- Wireshark's reassembly (desegment_len) would keep a TIME without a terminator until one came,
-- perhaps forever. So what waits for more is kept here. Frames are first dissected in their order,
-- which fills the items of each, and later again as they are looked at.
local frames, streams

function timesvc.init()
    frames, streams = {}, {}
end

-- What the text has at this place: its kind, its bytes, and their terminator.
local function next_request(text, at)
    local line, terminator = text:match("^([^\n]-)(\r?\n)", at)
    local bytes = line or text:sub(at)
    local handled = line or bytes == "TIME" or bytes == "QUIT" -- those two at once
    return handled and "request" or "unfinished", bytes, terminator
end

local function next_reply(text, at)
    local bytes = text:match("^JAM %d%d:%d%d:%d%d", at) or text:match("^Invalid request", at) or ""
    local terminator = text:match("^\r?\n", at + #bytes)
    if bytes ~= "" or terminator then
        return bytes == "" and "other" or bytes:find("^JAM") and "time" or "invalid", bytes, terminator
    end
    bytes = text:sub(at)
    for _, whole in ipairs({ "JAM 00:00:00", "Invalid request", "\r" }) do
        if whole:sub(1, #bytes) == bytes:gsub("%d", "0") then
            return "unfinished", bytes
        end
    end
    return "other", bytes
end

-- A request was handled; its reply is due, unless it was QUIT.
local function handle(stream, request)
    stream.quit = request.bytes == "QUIT"
    stream.asked = stream.asked + 1
    stream[stream.asked] = request
end

-- The unfinished request, if there is one, was handled as it stands, after a second of silence; a
-- CR at its end may still become its terminator. While `open` is set, no more than that waits.
local function give_up(stream)
    local side = stream.requests
    if side.tail ~= "" and not side.open then
        side.open, side.item.kind = side.item, "request"
        side.item.bytes, side.tail = side.tail:match("^(.-)(\r?)$")
        handle(stream, side.item)
    end
end

-- The request that such a reply answers. One that does not fit it has got none.
local function answered(stream, kind)
    if stream.told == stream.asked then
        give_up(stream)
    end
    while stream.told < stream.asked do
        stream.told = stream.told + 1
        local request = stream[stream.told]
        stream[stream.told] = nil
        if (request.bytes == "TIME") == (kind == "time") then
            return request
        end
    end
end

-- The items that a segment brings to a side of the stream: `from` and `to` are places in it.
local function read(stream, side, segment, frame, now)
    if side == stream.requests and side.item and now - side.item.now >= 1 then
        give_up(stream)
    end
    local items, text, at, before = {}, side.tail .. segment, 1, #side.tail
    local piece = before > 0 and side.item
    side.tail = ""
    while at <= #text do
        local kind, bytes, terminator = side.next(text, at)
        local item = { frame = frame, now = now, bytes = bytes, terminator = terminator,
            from = math.max(at - 1 - before, 0) }
        at = at + #bytes + #(terminator or "")
        item.to = at - 1 - before
        if side.open and bytes == "" then
            kind, item.belongs_to, side.open = "terminator", side.open, nil
        elseif stream.quit and side == stream.requests then
            kind = "ignored"
        elseif kind == "unfinished" then
            side.open = bytes == "\r" and side.open or nil
            -- Of a long one, which is invalid in any case, both ends are enough.
            side.tail = #bytes < 99 and bytes or bytes:sub(1, 64) .. "..." .. bytes:sub(-1)
            side.item = item
        else
            side.open = not terminator and item or nil
            if kind == "request" then
                handle(stream, item)
            elseif kind ~= "other" then
                item.request = answered(stream, kind)
            end
        end
        item.kind = kind
        if piece then
            piece.belongs_to, piece = item, nil
        end
        table.insert(items, item)
    end
    return items
end

-- Bytes as they can be shown.
local function printable(bytes)
    bytes = #bytes < 99 and bytes or bytes:sub(1, 64) .. "..."
    return (bytes:gsub("\r", "\\r"):gsub("\n", "\\n"):gsub("[^ -~]", function(byte)
        return string.format("\\x%02x", byte:byte())
    end))
end

local notes = { unfinished = " (unfinished)", ignored = " (ignored)" }
local terminators = { ["\r\n"] = "CR LF", ["\n"] = "LF" }

function timesvc.dissector(tvb, pinfo, tree)
    local number = tcp_stream().value
    local stream = streams[number] or {
        requests = { next = next_request, tail = "", link = fields.request_in },
        replies = { next = next_reply, tail = "", link = fields.reply_in },
        asked = 0, told = 0,
    }
    streams[number] = stream
    local side = pinfo.dst_port == pinfo.match_uint and stream.requests or stream.replies
    local items = frames[pinfo.number] or read(stream, side, tvb:raw(), pinfo.number, pinfo.rel_ts)
    frames[pinfo.number] = items

    local root, info = tree:add(timesvc, tvb()), {}
    for _, item in ipairs(items) do
        local range, kind, branch = tvb(item.from, item.to - item.from), item.kind, root
        if kind ~= "terminator" then
            branch = root:add(fields[kind], range,
                kind == "time" and item.bytes:sub(5) or printable(item.bytes))
        end
        if not notes[kind] then
            branch:add(fields.terminator, range, terminators[item.terminator] or "none")
        end
        if item.belongs_to and kind ~= "request" then
            branch:add(side.link, item.belongs_to.frame):set_generated()
        end
        if item.request then
            item.request.reply = item
            local nanoseconds = math.floor((item.now - item.request.now) * 1e9 + 0.5)
            branch:add(fields.request_in, item.request.frame):set_generated()
            branch:add(fields.response_time, NSTime.new(math.floor(nanoseconds / 1e9),
                nanoseconds % 1e9)):set_generated()
        elseif item.reply then
            branch:add(fields.reply_in, item.reply.frame):set_generated()
        end
        table.insert(info, printable(item.bytes .. (item.terminator or "")) ..
            (notes[kind] or not item.terminator and " (no terminator)" or ""))
    end
    pinfo.cols.protocol = "timesvc"
    pinfo.cols.info = table.concat(info, "  ")
end

DissectorTable.get("tcp.port"):add(45000, timesvc)
