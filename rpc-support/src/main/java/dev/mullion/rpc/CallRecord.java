package dev.mullion.rpc;

import io.grpc.Status;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A call that has ended, as a server's access log sees it. Bytes are those of messages as they were
 * on the wire, that is compressed if they were, and without what HTTP/2 adds. In-process calls have
 * none.
 *
 * @param method the full name of the method, such as {@code hello.Greeter/SayHello}, with {@code ?}
 *     for what is not printable, and cut after 256 characters
 * @param peer the client, or null if the server has no such method
 * @param status how it ended
 * @param duration how long it took, from its first bytes to its last
 * @param messagesReceived how many messages came
 * @param bytesReceived how many bytes those had
 * @param messagesSent how many messages went
 * @param bytesSent how many bytes those had
 * @param requestId the metadata {@code x-request-id} that came with it, treated as the method's
 *     name is and cut after 128 characters; null if there was none
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
   * Returns a line of text: {@code hello.Greeter/SayHello peer=127.0.0.1:50312 status=OK ms=1.234
   * received=1/7 sent=1/15 id=-}, where the pairs are messages and bytes.
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
    // That of a client at a unix-domain socket has no name.
    String name = peer == null ? "" : peer.toString();
    return name.isEmpty() ? "-" : name;
  }
}
