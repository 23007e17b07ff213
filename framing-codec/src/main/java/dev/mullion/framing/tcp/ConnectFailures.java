package dev.mullion.framing.tcp;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeoutException;

/** Why an attempt to connect failed, address by address, in plain words. Any thread may use it. */
final class ConnectFailures {
  /** The prefix that Netty's native transports add to an error's text. */
  private static final String SYSTEM_CALL =
      "^[\\w ]+\\(\\.\\.\\) failed( with error\\(-?\\d+\\))?: ";

  private final String target;
  private final long connectMillis;
  private final List<String> texts = new ArrayList<>();
  private final List<Throwable> causes = new ArrayList<>();

  ConnectFailures(String target, long connectMillis) {
    this.target = target;
    this.connectMillis = connectMillis;
  }

  /** Adds the failure of an address. */
  synchronized void add(SocketAddress address, Throwable cause) {
    texts.add(text(address) + ": " + inPlainWords(cause));
    causes.add(cause);
  }

  /** Returns an address without its port, which is the same for all. */
  static String text(SocketAddress address) {
    return address instanceof InetSocketAddress inet && inet.getAddress() != null
        ? inet.getAddress().getHostAddress()
        : address.toString();
  }

  /** Returns the error for a failure that belongs to no address. */
  IOException of(Throwable cause) {
    return cause instanceof UnknownHostException unknown
        ? unknown
        : error(List.of(cause), inPlainWords(cause));
  }

  /** Returns the error for an attempt in which every address failed. */
  synchronized IOException ofAll() {
    return causes.size() == 1 ? of(causes.get(0)) : error(causes, String.join("; ", texts));
  }

  /** Returns the error for an attempt that timed out in a step. */
  synchronized IOException late(String stage) {
    TimeoutException late = new TimeoutException(stage);
    String text = "not connected in " + connectMillis + " ms (connectTimeout)";
    List<Throwable> all = new ArrayList<>(causes);
    all.add(0, late);
    return error(
        all,
        text
            + (stage.isEmpty() ? "" : ": " + stage)
            + (texts.isEmpty() ? "" : "; " + String.join("; ", texts)));
  }

  private IOException error(List<Throwable> causes, String text) {
    boolean refused = causes.stream().allMatch(ConnectFailures::isOfConnecting);
    String whole = "cannot connect to " + target + ": " + text;
    IOException error = refused ? new ConnectException(whole) : new IOException(whole);
    error.initCause(causes.get(0));
    causes.stream().skip(1).forEach(error::addSuppressed);
    return error;
  }

  private static boolean isOfConnecting(Throwable cause) {
    return cause instanceof SocketException
        || cause instanceof TimeoutException
        || cause instanceof FileNotFoundException
        || cause.getClass() == IOException.class;
  }

  /** Removes system call names, error numbers and the address that Netty adds. */
  private static String inPlainWords(Throwable error) {
    if (error instanceof FileNotFoundException && error.getMessage() == null) {
      return "no such file or directory"; // A unix-domain socket.
    }
    Throwable cause =
        error instanceof SocketException && error.getCause() != null ? error.getCause() : error;
    String text = String.valueOf(cause.getMessage()).replaceFirst(SYSTEM_CALL, "");
    return text.startsWith("Connection ") || text.startsWith("No ")
        ? text.substring(0, 1).toLowerCase(Locale.ROOT) + text.substring(1)
        : text;
  }
}
