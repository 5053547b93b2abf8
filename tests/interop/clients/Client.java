import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;

/** A client on the JDK's own java.net.http: java Client.java FOLDER URL ROLE [TOKEN]. */
public class Client implements WebSocket.Listener {
    private final CountDownLatch over = new CountDownLatch(1);
    private final StringBuilder text = new StringBuilder();

    public static void main(String[] arguments) throws Exception {
        var client = new Client();
        var builder = HttpClient.newHttpClient().newWebSocketBuilder();
        if (arguments.length > 3) {
            builder.header("Authorization", "Bearer " + arguments[3]);
        }
        WebSocket socket;
        try {
            socket = builder.buildAsync(URI.create(arguments[1]), client).join();
        } catch (CompletionException error) {
            if (error.getCause() instanceof WebSocketHandshakeException refusal) {
                say("{\"event\":\"refused\",\"status\":" + refusal.getResponse().statusCode() + "}");
                System.exit(0);
            }
            throw error;
        }
        if (arguments[2].equals("agent")) {
            var input = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
            for (var message : input.split("\n")) {
                socket.sendText(message, true).join();
            }
        }
        client.over.await();
        System.exit(0);
    }

    private static synchronized void say(String line) {
        var bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(bytes, 0, bytes.length);
        System.out.flush();
    }

    private static String quoted(String value) {
        return "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    @Override
    public void onOpen(WebSocket socket) {
        say("{\"event\":\"open\"}");
        socket.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
        text.append(data);
        if (last) {
            say("{\"event\":\"message\",\"data\":" + quoted(text.toString()) + "}");
            text.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        say("{\"event\":\"close\",\"code\":" + code + ",\"reason\":" + quoted(reason) + "}");
        over.countDown();
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        say("{\"event\":\"error\",\"text\":" + quoted(String.valueOf(error)) + "}");
        over.countDown();
    }
}
