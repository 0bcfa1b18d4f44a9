-- What wrk sends, and what it says at the end: one line of JSON.
--
-- wrk … -s load.lua URL -- NAME USERS TASKS_EACH PAGE [USER]

local title = '{"title": "Buy groceries", "description": "Milk and eggs"}'
local json = {["Content-Type"] = "application/json"}
local requests, sent = {}, 0

-- Requests are made before the clock runs.
function init(args)
    local name, users, each, page = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
    math.randomseed(os.time())
    for number = 1, 1000 do
        local user = tonumber(args[5]) or math.random(users)
        local tasks = "/users/" .. user .. "/tasks"
        if name == "get" then
            local task = (user - 1) * each + math.random(each)
            requests[number] = wrk.format("GET", tasks .. "/" .. task)
        elseif name == "create" then
            requests[number] = wrk.format("POST", tasks, json, title)
        else
            requests[number] = wrk.format("GET", tasks .. "?limit=" .. page)
        end
    end
end

function request()
    sent = sent + 1
    return requests[sent % #requests + 1]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\n',
        summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout
    ))
end
