package dev.mullion.messaging.grpc;

import dev.mullion.messaging.grpc.v1.ClientFrame;

/** The frames of a client that are answered by Done: their ids, and their part of the window. */
final class Answered {
  private Answered() {}

  static long id(ClientFrame frame) {
    return switch (frame.getFrameCase()) {
      case SEND -> frame.getSend().getId();
      case REQUEST -> frame.getRequest().getId();
      case SUBSCRIBE -> frame.getSubscribe().getId();
      case EXTEND -> frame.getExtend().getId();
      case DECLARE -> frame.getDeclare().getId();
      case DELETE_QUEUE -> frame.getDeleteQueue().getId();
      case LIST_QUEUES -> frame.getListQueues().getId();
      case COUNT_DEAD_LETTERS -> frame.getCountDeadLetters().getId();
      case PEEK_DEAD_LETTERS -> frame.getPeekDeadLetters().getId();
      case SELECT_DEAD_LETTERS -> frame.getSelectDeadLetters().getId();
      default -> 0;
    };
  }

  static int bytes(ClientFrame frame) {
    return switch (frame.getFrameCase()) {
      case SEND -> frame.getSend().getMessage().getSerializedSize();
      case REQUEST -> frame.getRequest().getMessage().getSerializedSize();
      default -> 0;
    };
  }
}
