/** Length-prefixed framing, and TCP servers and clients that speak it. */
@SuppressWarnings("module") // They are compiled after this module.
module dev.mullion.framing {
  exports dev.mullion.framing;
  exports dev.mullion.framing.tcp;
  exports dev.mullion.net;
  exports dev.mullion.net.base to
      dev.mullion.messaging.grpc,
      dev.mullion.messaging.rabbitmq,
      dev.mullion.rpc;

  requires transitive io.netty.buffer;
  requires transitive io.netty.transport;
  requires io.netty.codec;
  requires io.netty.common;
  requires static io.netty.handler;
  requires static io.netty.transport.classes.epoll;
  requires static io.netty.transport.classes.io_uring;
  requires static io.netty.transport.classes.kqueue;
  requires static io.netty.transport.unix.common;
  requires static micrometer.core;
  requires static transitive org.jspecify;
}
