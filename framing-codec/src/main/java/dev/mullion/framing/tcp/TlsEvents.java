package dev.mullion.framing.tcp;

import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/** A class of its own, since Netty's TLS classes may be absent. */
final class TlsEvents {
  private TlsEvents() {}

  static boolean isHandshakeDone(Object event) {
    return event instanceof SslHandshakeCompletionEvent done && done.isSuccess();
  }

  /** Returns why a handshake has failed, or {@code null} if the event does not say so. */
  static @Nullable Throwable handshakeFailure(Object event) {
    return event instanceof SslHandshakeCompletionEvent done ? done.cause() : null;
  }

  static boolean isCloseNotify(Object event) {
    return event instanceof SslCloseCompletionEvent done && done.isSuccess();
  }

  /** Tells the peer that nothing more comes, and then goes on. */
  static void closeOutbound(ChannelPipeline pipeline, Runnable then) {
    pipeline.get(SslHandler.class).closeOutbound().addListener(done -> then.run());
  }

  static @Nullable SSLSession session(ChannelPipeline pipeline) {
    SslHandler handler = pipeline.get(SslHandler.class);
    return handler == null ? null : handler.engine().getSession();
  }
}
