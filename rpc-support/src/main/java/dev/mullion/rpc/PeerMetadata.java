package dev.mullion.rpc;

import io.grpc.Attributes;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Settings;

/**
 * How much metadata the client of a connection accepts, according to its HTTP/2 settings. On a
 * server neither Netty nor gRPC enforces this limit.
 */
final class PeerMetadata {
  private static final Attributes.Key<PeerMetadata> KEY =
      Attributes.Key.create("mullion-peer-metadata");

  /** Set while the settings are read; gRPC asks for the attributes of a connection at that time. */
  private static final ThreadLocal<PeerMetadata> READING = new ThreadLocal<>();

  private volatile long most = LastWord.USUAL;

  private PeerMetadata() {}

  /** Adds a listener for the settings of a connection. */
  static void of(GrpcHttp2ConnectionHandler handler) {
    Http2FrameListener listener = handler.decoder().frameListener();
    PeerMetadata peer = new PeerMetadata();
    handler.decoder().frameListener(new Http2FrameListenerDecorator(listener) {
      @Override
      public void onSettingsRead(ChannelHandlerContext context, Http2Settings settings)
          throws Http2Exception {
        peer.read(settings);
        READING.set(peer);
        try {
          super.onSettingsRead(context, settings);
        } finally {
          READING.remove();
        }
      }
    });
  }

  /** Clients built on gRPC's C core reject some metadata above half of the announced size. */
  private void read(Http2Settings settings) {
    Long said = settings.maxHeaderListSize();
    if (said != null) {
      most = Math.min(said, Math.max(LastWord.USUAL, said / 2));
    }
  }

  /**
   * Returns the attributes of a connection, with its metadata limit while its settings are read.
   */
  static Attributes with(Attributes attributes) {
    PeerMetadata peer = READING.get();
    return peer == null ? attributes : attributes.toBuilder().set(KEY, peer).build();
  }

  /** Returns how many bytes of metadata the client of a call is certain to accept. */
  static long most(Attributes attributes) {
    PeerMetadata peer = attributes.get(KEY);
    return peer == null ? LastWord.USUAL : peer.most;
  }
}
