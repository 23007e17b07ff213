package dev.mullion.rpc;

import io.grpc.Status;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A completed call, as recorded by a server's access log. Bytes count the messages on the wire,
 * after compression and without the overhead of HTTP/2. In-process calls have no byte counts.
 *
 * @param method the full name of the method, such as {@code hello.Greeter/SayHello}, with {@code ?}
 *     for each unprintable character, and truncated to 256 characters
 * @param peer the client, or null if the server has no such method
 * @param status the status at the end of the call
 * @param duration the time from the first bytes of the call to the last
 * @param messagesReceived the number of messages received
 * @param bytesReceived the size of the messages received
 * @param messagesSent the number of messages sent
 * @param bytesSent the size of the messages sent
 * @param requestId the metadata {@code x-request-id} of the request, with unprintable characters
 *     replaced as in {@code method}, and truncated to 128 characters; null if there was none
 */
public record CallRecord(
    String method,
    @Nullable SocketAddress peer,
    Status status,
    Duration duration,
    long messagesReceived,
    long bytesReceived,
    long messagesSent,
    long bytesSent,
    @Nullable String requestId) {
  private static final Pattern NOT_PRINTABLE = Pattern.compile("[^!-~]");

  /** Returns text from the network in a form that is safe to log. */
  static String printable(String text, int maxLength) {
    String cut = text.length() <= maxLength ? text : text.substring(0, maxLength);
    return NOT_PRINTABLE.matcher(cut).replaceAll("?");
  }

  /**
   * Returns one line of text: {@code hello.Greeter/SayHello peer=127.0.0.1:50312 status=OK ms=1.234
   * received=1/7 sent=1/15 id=-}. Each pair has the messages and the bytes.
   */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s peer=%s status=%s ms=%.3f received=%d/%d sent=%d/%d id=%s",
        method,
        peerText(),
        status.getCode(),
        duration.toNanos() / 1e6,
        messagesReceived,
        bytesReceived,
        messagesSent,
        bytesSent,
        requestId == null ? "-" : requestId);
  }

  private String peerText() {
    if (peer instanceof InetSocketAddress inet && inet.getAddress() != null) {
      return inet.getAddress().getHostAddress() + ":" + inet.getPort();
    }
    // The address of a client on a unix-domain socket has no name.
    String name = peer == null ? "" : peer.toString();
    return name.isEmpty() ? "-" : name;
  }
}
