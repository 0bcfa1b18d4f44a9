# Use a client of openapi-generator: give its folder, a URL and the credentials.
$LOAD_PATH.unshift("#{ARGV[0]}/lib")
require "openapi_client"
require "uri"

USER = 42
url, credentials = ARGV[1..]

def configuration(url)
  OpenapiClient::Configuration.new.tap do |one|
    one.scheme, one.host = url.split("://")
    one.base_path = ""
    one.server_index = nil
  end
end

def must(holds, what)
  raise what unless holds
end

# Return the status and the error of a refused call.
def refused
  yield
  raise "not refused"
rescue OpenapiClient::ApiError => e
  [e.code, JSON.parse(e.response_body)["error"]]
end

client = OpenapiClient::ApiClient.new(configuration(url))
client.default_headers["Authorization"] = credentials
tasks = OpenapiClient::TasksApi.new(client)
stranger = OpenapiClient::TasksApi.new(OpenapiClient::ApiClient.new(configuration(url)))

first, second = %w[one two].map do |title|
  tasks.create_task(USER, OpenapiClient::TaskCreate.new(title: title, description: "x"))
end
page, _status, headers = tasks.list_tasks_with_http_info(USER, limit: 1)
must(page.map(&:id) == [second.id], "first page")
cursor = URI.decode_www_form_component(headers["Link"][/after=([^>]*)/, 1])
must(tasks.list_tasks(USER, limit: 1, after: cursor).map(&:id) == [first.id], "second page")

change = OpenapiClient::TaskUpdate.new(description: nil)
changed = tasks.update_task(USER, first.id, change, if_match: '"1"')
must(changed.version == 2 && changed.description.nil?, "update with null")
status, error = refused { tasks.update_task(USER, first.id, change, if_match: '"1"') }
must(status == 412 && error["details"]["version"] == 2, "conflict")
# The client checks the title itself, so this one has to come from the server.
status, error = refused { tasks.get_task(USER, 1) }
must(status == 404 && error["code"] == "NOT_FOUND", "missing task")
if credentials != "none"
  status, error = refused { stranger.get_task(USER, first.id) }
  must(status == 401 && error["code"] == "UNAUTHENTICATED", "stranger")
end
tasks.delete_task(USER, first.id)
