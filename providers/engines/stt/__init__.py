"""Speech to text: implementations of ``SpeechToText``, and what they share about utterances."""
