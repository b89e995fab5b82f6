: naïve
