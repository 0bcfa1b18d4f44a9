// Use a client of openapi-generator: give a URL and the credentials.
import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.TasksApi;
import org.openapitools.client.model.Task;
import org.openapitools.client.model.TaskCreate;
import org.openapitools.client.model.TaskUpdate;

public class GeneratedClient {
    static final long USER = 42;

    interface Call {
        void run() throws Exception;
    }

    record Refusal(int status, JsonNode error) {}

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], credentials = arguments[1];
        TasksApi stranger = api(url, null), tasks = api(url, credentials);

        Task first = tasks.createTask(USER, fields("one"), null, null, null);
        Task second = tasks.createTask(USER, fields("two"), null, null, null);
        ApiResponse<List<Task>> page = tasks.listTasksWithHttpInfo(
            USER, 1, null, null, null, null, null, null, null, null, null, null, null);
        must(page.getData().equals(List.of(second)), "first page");
        String link = page.getHeaders().get("link").get(0);
        String cursor = link.substring(link.indexOf("after=") + 6, link.indexOf('>'));
        cursor = URLDecoder.decode(cursor, StandardCharsets.UTF_8);
        List<Task> next = tasks.listTasks(
            USER, 1, cursor, null, null, null, null, null, null, null, null, null, null);
        must(next.equals(List.of(first)), "next");

        // Without its own type for nulls this client cannot send one: empty means none too.
        TaskUpdate change = new TaskUpdate().description("");
        Task changed = tasks.updateTask(USER, first.getId(), change, "\"1\"", null);
        must(changed.getVersion() == 2 && changed.getDescription() == null, "update");
        Refusal conflict =
            refused(() -> tasks.updateTask(USER, first.getId(), change, "\"1\"", null));
        must(conflict.status == 412, "conflict");
        must(conflict.error.at("/details/version").asInt() == 2, "version of the conflict");
        Refusal blank = refused(() -> tasks.createTask(USER, fields(" "), null, null, null));
        must(blank.error.at("/details/field").asText().equals("title"), "blank title");
        Refusal missing = refused(() -> tasks.getTask(USER, 1L, null, null));
        must(missing.error.get("code").asText().equals("NOT_FOUND"), "missing task");
        if (!credentials.equals("none")) {
            Refusal refused = refused(() -> stranger.getTask(USER, first.getId(), null, null));
            must(refused.error.get("code").asText().equals("UNAUTHENTICATED"), "stranger");
        }
        tasks.deleteTask(USER, first.getId(), null, null);
    }

    static TasksApi api(String url, String credentials) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(url);
        if (credentials != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", credentials));
        }
        return new TasksApi(client);
    }

    static TaskCreate fields(String title) {
        return new TaskCreate().title(title).description("x");
    }

    static Refusal refused(Call call) throws Exception {
        try {
            call.run();
        } catch (ApiException exception) {
            JsonNode body =
                ApiClient.createDefaultObjectMapper().readTree(exception.getResponseBody());
            return new Refusal(exception.getCode(), body.get("error"));
        }
        throw new AssertionError("not refused");
    }

    static void must(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
