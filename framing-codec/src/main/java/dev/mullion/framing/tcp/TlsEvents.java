package dev.mullion.framing.tcp;

import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/** Separate because Netty's TLS classes may be absent. */
final class TlsEvents {
  /** The peer's bytes in Netty's message, limited to the first 32. */
  private static final Pattern SENT = Pattern.compile(": ((?:[0-9a-f]{2}){1,32})");

  private TlsEvents() {}

  static boolean isHandshakeDone(Object event) {
    return event instanceof SslHandshakeCompletionEvent done && done.isSuccess();
  }

  /** Returns why a handshake failed, or {@code null} if the event is no failure. */
  static @Nullable Throwable handshakeFailure(Object event) {
    Throwable cause = event instanceof SslHandshakeCompletionEvent done ? done.cause() : null;
    return cause instanceof SSLException failure ? inPlainWords(failure) : cause;
  }

  /** Describes the likely cause, without all the bytes from the peer that Netty includes. */
  static SSLException inPlainWords(SSLException error) {
    String text = error.getMessage();
    if (error instanceof SslHandshakeTimeoutException) {
      text += " (handshakeTimeout): the peer may not use TLS";
    } else if (error instanceof NotSslRecordException) {
      Matcher sent = SENT.matcher(String.valueOf(text));
      text = "the peer does not use TLS" + (sent.find() ? ", it sent " + sent.group(1) : "")
          + " (expected: a TLS record, or no tls)";
    } else {
      return error;
    }
    return new SSLException(text, error);
  }

  static boolean isCloseNotify(Object event) {
    return event instanceof SslCloseCompletionEvent done && done.isSuccess();
  }

  /** Sends close_notify, and then runs an action. */
  static void closeOutbound(ChannelPipeline pipeline, Runnable then) {
    pipeline.get(SslHandler.class).closeOutbound().addListener(done -> then.run());
  }

  static boolean isClient(ChannelPipeline pipeline) {
    SslHandler handler = pipeline.get(SslHandler.class);
    return handler != null && handler.engine().getUseClientMode();
  }

  static @Nullable SSLSession session(ChannelPipeline pipeline) {
    SslHandler handler = pipeline.get(SslHandler.class);
    return handler == null ? null : handler.engine().getSession();
  }
}
