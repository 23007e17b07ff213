package dev.mullion.rpc;

import com.google.protobuf.MessageLite;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Compressor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/**
 * The last of a channel's interceptors. It serializes and compresses each request once, so that all
 * attempts send the same bytes. It ends the call if that fails, or if a message is too large.
 */
record ClientMessages(
    MessageLimits limits, int maxInboundMetadataSize, boolean inProcess, Compressions compressions)
    implements ClientInterceptor {
  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    Messages<Q, R> messages = new Messages<>(method, compressions.use(options.getCompressor()));
    return new Call<>(next.newCall(messages.method(), options), messages);
  }

  private final class Call<Q, R> extends SimpleForwardingClientCall<Q, R> {
    private final Messages<Q, R> messages;

    Call(ClientCall<Q, R> call, Messages<Q, R> messages) {
      super(call);
      this.messages = messages;
    }

    @Override
    public void start(Listener<R> listener, Metadata headers) {
      super.start(
          new SimpleForwardingClientCallListener<>(listener) {
            /** Why the reply's headers end the call, even if it has succeeded meanwhile. */
            private @Nullable Status refused;

            @Override
            public void onHeaders(Metadata received) {
              long size = LastWord.size(received);
              if (size <= maxInboundMetadataSize) {
                super.onHeaders(received);
              } else {
                Status wrong = messages.failed(
                    "", MetadataLimit.inbound(size, maxInboundMetadataSize).asRuntimeException());
                refused = wrong;
                cancel(wrong.getDescription(), null);
              }
            }

            @Override
            public void onClose(Status status, Metadata trailers) {
              Status wrong = messages.wrong;
              if (refused != null) {
                super.onClose(refused, trailers);
              } else if (wrong == null || status.isOk()) {
                LastWord last = MetadataLimit.taken(status, trailers, maxInboundMetadataSize);
                super.onClose(last.status(), last.trailers());
              } else {
                super.onClose(wrong, trailers);
              }
            }
          },
          headers);
    }

    @Override
    public void sendMessage(Q request) {
      if (messages.wrong != null) {
        return;
      }
      try {
        super.sendMessage(messages.whole(request));
      } catch (Throwable thrown) {
        Status wrong = messages.failed("request cannot be sent", thrown);
        cancel(wrong.getDescription(), wrong.getCause());
      }
    }

    @Override
    public void setMessageCompression(boolean enabled) {
      messages.compresses = enabled;
      super.setMessageCompression(enabled);
    }

    @Override
    public void halfClose() {
      if (messages.wrong == null) {
        super.halfClose();
      }
    }
  }

  /** The messages of one call, and the status of the first failed one. */
  private final class Messages<Q, R> {
    private final MethodDescriptor<Q, R> method;
    private final @Nullable Compressor compressor;
    volatile @Nullable Status wrong;

    /** Whether messages are compressed, if there is a compressor. */
    volatile boolean compresses = true;

    Messages(MethodDescriptor<Q, R> method, @Nullable Compressor compressor) {
      this.method = method;
      this.compressor = compressor;
    }

    /** Returns the method with these messages. */
    MethodDescriptor<Q, R> method() {
      return method.toBuilder(requests(), replies()).build();
    }

    Status failed(String what, Throwable thrown) {
      Status status = MessageLimits.failed(what, thrown);
      wrong = status;
      return status;
    }

    /** Returns the message to send instead of a request. */
    @SuppressWarnings("unchecked")
    Q whole(Q request) throws IOException {
      if (request instanceof MessageLite known
          && method.getRequestMarshaller() instanceof PrototypeMarshaller) {
        limits.checkOutbound(known.getSerializedSize());
        // An in-process peer receives the object itself.
        return inProcess ? request : (Q) compressed(WholeMessage.of(known));
      }
      return (Q) compressed(WholeMessage.of(limits.bytes(method.streamRequest(request))));
    }

    private WholeMessage compressed(WholeMessage message) throws IOException {
      return compressor == null || inProcess || !compresses
          ? message
          : message.compressedBy(compressor);
    }

    private Marshaller<Q> requests() {
      return new Marshaller<>() {
        @Override
        public InputStream stream(Q request) {
          return request instanceof WholeMessage whole
              ? whole.stream()
              : method.streamRequest(request);
        }

        @Override
        public Q parse(InputStream stream) {
          return method.parseRequest(stream);
        }
      };
    }

    private Marshaller<R> replies() {
      return new Marshaller<>() {
        @Override
        public InputStream stream(R reply) {
          return method.streamResponse(reply);
        }

        @Override
        public R parse(InputStream stream) {
          try {
            return KeptMessages.parse(method.getResponseMarshaller(), limits.inbound(stream));
          } catch (Throwable thrown) {
            throw failed("reply cannot be read", thrown).asRuntimeException();
          }
        }
      };
    }
  }
}
