// Installs what is missing, once, and says so. Uses nothing but Node.js, since it runs before anything is installed.
